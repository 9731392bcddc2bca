//! Weir, started beneath a tool that counts, and ended so that the tool writes down what it has.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::case::Case;
use crate::harness::certificate::Certificate;
use crate::harness::cores::Cores;
use crate::harness::directory::Directory;
use crate::harness::free_address;
use crate::harness::origin::OriginProcess;
use crate::harness::process::{Process, quiet};
use crate::peers::proxies::{self, Front, Peer, Setting};
use crate::peers::usage;

/// How long Weir may take to listen, and to end. It needs a second or two of either beneath valgrind.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(20);

/// What all measurements need.
#[derive(Debug)]
pub struct Setup {
    /// Weir's binary.
    pub weir: PathBuf,
    cores: Cores,
    certificate: Certificate,
    origin: OriginProcess,
    /// The last field, for it goes when nobody writes there any more.
    pub(super) directory: Directory,
}

/// Weir, running.
#[derive(Debug)]
pub(super) struct Subject {
    /// Where it listens.
    pub(super) address: SocketAddr,
    process: Process,
}

impl Setup {
    /// Finds the binary, and starts the origin on another core than Weir is going to have, if there is one.
    ///
    /// # Errors
    /// When there is no binary, or the origin doesn't start.
    pub fn new() -> anyhow::Result<Self> {
        let peer = Peer::named("weir").context("Weir is one of the programs")?;
        let weir = peer.find().map_err(anyhow::Error::msg)?;
        let (cores, load_cores) = Cores::first_and_last()?;
        load_cores.pin()?;
        let directory = Directory::new(false).context("cannot make a temporary directory")?;
        let origin = OriginProcess::start(&load_cores, &directory)?;
        let certificate = Certificate::in_directory(directory.path());
        Ok(Self { weir, cores, certificate, origin, directory })
    }

    /// Starts Weir for a case, with `tool` and its arguments before its own command line, and waits until it listens. `what`
    /// names its directory.
    ///
    /// # Errors
    /// When a program is missing, or Weir doesn't listen within a minute.
    pub(super) async fn start(
        &self,
        what: &str,
        tool: &str,
        tool_arguments: Vec<OsString>,
        case: Case,
    ) -> anyhow::Result<Subject> {
        let directory = self.directory.sub(what)?;
        if case.front == Front::Tls {
            self.certificate.make()?;
        }
        let peer = Peer::named("weir").context("Weir is one of the programs")?;
        let access_log = case.access_log.then(|| directory.join("access.log"));
        let address = free_address()?;
        let launch = (peer.prepare)(&Setting {
            program: &self.weir,
            directory: &directory,
            listen: address,
            front: case.front,
            certificate: &self.certificate,
            origin: self.origin.address,
            access_log: access_log.as_deref(),
            connections_max: 100,
            origin_connections_max: None,
            queue: 100,
            workers: 1,
        });
        fs::write(directory.join(launch.file), &launch.text)?;
        let mut command = quiet(&installed(tool)?);
        command.args(tool_arguments).arg(&self.weir).args(&launch.arguments).current_dir(&directory);
        let process = Process::start(command, &self.cores, &directory.join("stderr"))
            .with_context(|| format!("cannot start {tool}"))?;
        let mut subject = Subject { address, process };
        subject.wait_until_it_listens(tool).await?;
        Ok(subject)
    }

    /// Starts a tool that is done soon, and waits for it.
    ///
    /// # Errors
    /// When it is missing, fails, or takes a minute.
    pub(super) async fn run(&self, tool: &str, arguments: Vec<OsString>) -> anyhow::Result<()> {
        let mut command = quiet(&installed(tool)?);
        command.args(arguments);
        let stderr = self.directory.path().join(format!("{tool}.stderr"));
        let mut process = Process::start(command, &self.cores, &stderr)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match process.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{tool} failed ({status}):\n{}", process.complaints()),
                None if Instant::now() > deadline => bail!("{tool} hangs:\n{}", process.complaints()),
                None => sleep(POLL).await,
            }
        }
    }
}

impl Subject {
    /// The process id of the tool, or of Weir where the tool has put itself beneath it.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells Weir to end, and waits until it has and the tool has too.
    ///
    /// # Errors
    /// When that takes a minute.
    pub(super) async fn end(mut self) -> anyhow::Result<()> {
        self.process.terminate();
        let deadline = Instant::now() + PATIENCE;
        while self.process.ended().is_none() || !usage::members(self.process.id()).is_empty() {
            if Instant::now() > deadline {
                bail!("weir does not end:\n{}", self.process.complaints());
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn wait_until_it_listens(&mut self, tool: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.process.ended() {
                bail!("weir ended at its start, with {tool} ({status}):\n{}", self.process.complaints());
            }
            if Instant::now() > deadline {
                bail!("weir does not listen, with {tool}:\n{}", self.process.complaints());
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// A tool's binary.
fn installed(tool: &str) -> anyhow::Result<PathBuf> {
    proxies::find(tool, None).map_err(anyhow::Error::msg)
}
