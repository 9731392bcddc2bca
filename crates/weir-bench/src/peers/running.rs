//! A peer that runs: started with its configuration, ready to answer, ended when dropped.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::bench::Bench;
use super::client;
use super::proxies::{Front, Peer, Setting};
use crate::harness::free_address;
use crate::harness::process::{Process, quiet};

/// How long a peer may take to answer its first request.
const START_WAIT: Duration = Duration::from_secs(10);

/// How many ports are tried.
const START_TRIES: u32 = 3;

/// The pause between two looks.
const START_POLL: Duration = Duration::from_millis(20);

/// A program to compare, and where it is.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Which.
    pub peer: Peer,
    /// Its binary.
    pub program: PathBuf,
    /// What it says its version is.
    pub version: String,
}

/// What may differ from one start of a peer to another.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What it listens for.
    pub front: Front,
    /// Whether it writes an access log.
    pub access_log: bool,
    /// A bound on its connections to the origin.
    pub origin_connections_max: Option<u32>,
    /// Workers, if not one.
    pub workers: Option<u32>,
}

impl Variant {
    /// The usual one that listens for this.
    pub fn of(front: Front) -> Self {
        Self { front, access_log: false, origin_connections_max: None, workers: None }
    }
}

/// A peer that answers.
#[derive(Debug)]
pub struct Running {
    /// What it is called.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    front: Front,
    access_log: Option<PathBuf>,
    process: Process,
}

impl Installed {
    /// Finds a program and asks it for its version.
    ///
    /// # Errors
    /// In words, with the remedy.
    pub fn find(peer: Peer) -> Result<Self, String> {
        let program = peer.find()?;
        let version = version(&program, peer.version)?;
        Ok(Self { peer, program, version })
    }

    /// Starts it in a directory of its own, whose name begins with `what`, and waits until it answers.
    ///
    /// # Errors
    /// With its own complaints, when it doesn't.
    pub async fn start(&self, bench: &Bench, what: &str, variant: &Variant) -> anyhow::Result<Running> {
        let Peer { name, fronts, .. } = self.peer;
        let front = variant.front;
        anyhow::ensure!(fronts.contains(&front), "{name} has nothing for {}", front.name());
        let mut tries = 1;
        loop {
            match self.start_once(bench, what, variant).await {
                // Between the look for a free port and its use, another program took it.
                Err(why) if tries < START_TRIES && format!("{why:#}").contains("already in use") => {
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn start_once(&self, bench: &Bench, what: &str, variant: &Variant) -> anyhow::Result<Running> {
        let Peer { name, prepare, .. } = self.peer;
        let front = variant.front;
        let directory = bench.directory.sub(&format!("{what}-{}-{name}", front.name()))?;
        let access_log = variant.access_log.then(|| directory.join("access.log"));
        let listen = free_address()?;
        let launch = prepare(&Setting {
            program: &self.program,
            directory: &directory,
            listen,
            front,
            certificate: &bench.certificate,
            origin: bench.origin.address,
            access_log: access_log.as_deref(),
            connections_max: bench.connections_max(),
            origin_connections_max: variant.origin_connections_max,
            queue: bench.options.queue,
            workers: variant.workers.unwrap_or(1),
        });
        fs::write(directory.join(launch.file), &launch.text)?;
        let mut command = quiet(&self.program);
        command.args(&launch.arguments).current_dir(&directory);
        command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
        if let Some(file) = access_log.as_ref().filter(|_| launch.logs_to_stdout) {
            command.stdout(Stdio::from(OpenOptions::new().create(true).append(true).open(file)?));
        }
        let process = Process::start(command, &bench.options.proxy_cores, &directory.join("stderr"))
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut running = Running { name: name.into(), address: listen, front, access_log, process };
        running.wait_until_it_answers().await?;
        Ok(running)
    }
}

impl Running {
    /// Its process id, which is its group's too.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Empties its access log, so that a long run needs no more memory than a round. All of them
    /// append but HAProxy, which writes on behind a hole; that takes no memory either.
    pub fn empty_access_log(&self) {
        if let Some(file) = &self.access_log {
            let _ = File::options().write(true).open(file).and_then(|file| file.set_len(0));
        }
    }

    /// The last lines of its standard error.
    pub fn complaints(&self) -> String {
        self.process.complaints()
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_WAIT;
        loop {
            let Err(error) = client::fetch(self.address, self.front).await else { return Ok(()) };
            if let Some(status) = self.process.ended() {
                bail!("{} ended at its start ({status}):\n{}", self.name, self.complaints());
            }
            if Instant::now() > deadline {
                bail!("{} does not answer ({error}):\n{}", self.name, self.complaints());
            }
            tokio::time::sleep(START_POLL).await;
        }
    }
}

/// The version that a program prints, on whichever output.
///
/// # Errors
/// When it can't be started.
pub(super) fn version(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = quiet(program);
    command.args(arguments.iter().map(OsStr::new)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let said = [output.stdout, output.stderr].concat();
    Ok(version_in(&String::from_utf8_lossy(&said)).unwrap_or("unknown").to_owned())
}

/// The first word with the looks of a version: `1.2` and what clings to it, after a space, a slash or a `v`.
fn version_in(said: &str) -> Option<&str> {
    let words = said.split(|between: char| between.is_ascii_whitespace() || between == '/');
    let mut words = words.map(|word| word.strip_prefix('v').unwrap_or(word));
    words.find(|word| {
        let digits = word.trim_start_matches(|first: char| first.is_ascii_digit());
        digits.len() < word.len() && digits.strip_prefix('.').is_some_and(|rest| !rest.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_programs_way_to_say_its_version_is_understood() {
        for (said, version) in [
            ("weir 0.1.0\n", "0.1.0"),
            ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.example/\n", "2.6.12-1+deb12u4"),
            ("nginx version: nginx/1.22.1\n", "1.22.1"),
            ("v2.8.4 h1:q3pe0wpBj1OcHFZ3n/1nl4V4bxBrYoSoab7rL9BMYNk=\n", "2.8.4"),
            ("\n/some/envoy  version: 9e5580933739775e/1.40.0/Clean/RELEASE/BoringSSL\n", "1.40.0"),
            ("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012\n", "4.1.0-3+b2"),
        ] {
            assert_eq!(version_in(said), Some(version));
        }
        assert_eq!(version_in("usage: 1 of 2."), None);
    }
}
