//! The origin as a process of its own, so that it has its own account and its own core.
//!
//! It says its address in one line and serves until its standard input ends. So it ends even when the benchmark was
//! killed without a chance to clean up.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};

use super::cores::Cores;
use super::directory::Directory;
use super::process::Process;
use crate::objects;
use crate::origin::Origin;

/// The name of the subcommand.
pub const COMMAND: &str = "origin";

/// Connections that it serves at once: more than any load here makes.
const CONNECTIONS_MAX: usize = 8192;

/// How long a connection to it may do nothing.
const IDLE: Duration = Duration::from_secs(600);

/// The origin, running.
#[derive(Debug)]
pub struct OriginProcess {
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
}

impl OriginProcess {
    /// Starts this same program as an origin on `cores`.
    ///
    /// # Errors
    /// When it can't be started or says no address.
    pub fn start(cores: &Cores, directory: &Directory) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        let stderr = directory.path().join("origin.stderr");
        let mut process = Process::start(command, cores, &stderr).context("cannot start the origin")?;
        let mut line = String::new();
        if let Some(stdout) = process.child().stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().parse();
        let address =
            address.with_context(|| format!("the origin did not start:\n{}", process.complaints()))?;
        Ok(Self { address, process })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// What the process does that serves objects from memory: the origin of benchmarks.
///
/// # Errors
/// When there is no port.
pub fn objects() -> anyhow::Result<()> {
    // Nothing here waits for long but kept connections, and who kept them closes them.
    let options = objects::Options { idle: IDLE, ..objects::Options::new((Ipv4Addr::LOCALHOST, 0).into()) };
    let server = objects::Server::start(&options)?;
    writeln!(std::io::stdout(), "{}", server.address())?;
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    Ok(())
}

/// What the process does that answers as the demo's origins do. What a request costs is counted with it: the counts are
/// compared over time, and an answer's fields are a part of them.
///
/// # Errors
/// When there is no port.
pub fn main() -> anyhow::Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen().context("no port for the origin")?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        // Nothing here waits for long but kept connections, and who kept them closes them.
        let origin = Origin { connections_max: CONNECTIONS_MAX, head_timeout: IDLE, ..Origin::new("bench") };
        match origin.serve(listener).await {}
    })
}

fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(4096)
}
