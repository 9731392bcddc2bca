//! The load: which program makes it for which case, and what came of it.
//!
//! | requests | program |
//! |---|---|
//! | HTTP/1, one after the other, and HTTP/2; plain or in TLS | `weir bench inject`'s: [`crate::inject`] |
//! | a handshake for each, of one kind | this one's own: [`handshakes`] |
//!
//! Each is a process of its own, this same program, so that it has its own account and its own cores.

pub mod handshakes;
mod injected;

pub(super) use injected::{CONNECTIONS_DIVISOR, STREAMS};

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::case::{Case, Pattern};
use crate::harness::cores::Cores;
use crate::harness::process::Process;
use crate::inject::outcome::Outcome;

/// When a request counts as timed out, where a program can be told that.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How much longer than its load a program may take before it is given up.
const GRACE: Duration = Duration::from_secs(20);

/// The pause between two looks at whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// A load to put on one address.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// `127.0.0.1:PORT`.
    pub address: SocketAddr,
    /// What is asked for.
    pub case: &'a Case,
    /// Connections at once.
    pub connections: u32,
    /// How long.
    pub seconds: u32,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Answers, with whatever status.
    pub requests: u64,
    /// The same in a second.
    pub requests_per_second: f64,
    /// Half of the answers took no longer.
    pub p50_ms: f64,
    /// 99 of 100 answers took no longer.
    pub p99_ms: f64,
    /// What went wrong.
    pub errors: Errors,
    /// All that the injector says, where it made the load.
    #[serde(skip)]
    pub outcome: Option<Box<Outcome>>,
}

impl Load {
    /// Requests that were answered well.
    pub fn answered(&self) -> u64 {
        self.requests.saturating_sub(self.errors.status)
    }
}

/// How many times what went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// Connections that did not come to be.
    pub connect: u64,
    /// Handshakes that failed, or were of another kind than they should.
    pub handshake: u64,
    /// Connections that broke while reading, and answers that were cut off or none.
    pub read: u64,
    /// Connections that broke while writing.
    pub write: u64,
    /// Answers that took longer than ten seconds.
    pub timeout: u64,
    /// Answers whose status is not of the 200s or 300s.
    pub status: u64,
}

impl Errors {
    /// All of them.
    pub fn sum(&self) -> u64 {
        let Self { connect, handshake, read, write, timeout, status } = self;
        connect + handshake + read + write + timeout + status
    }

    /// In words, such as `3 read, 12 status`; empty if nothing went wrong.
    pub fn describe(&self) -> String {
        let Self { connect, handshake, read, write, timeout, status } = *self;
        let kinds = [
            (connect, "connect"),
            (handshake, "handshake"),
            (read, "read"),
            (write, "write"),
            (timeout, "timeout"),
            (status, "status"),
        ];
        let said =
            kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}"));
        said.collect::<Vec<_>>().join(", ")
    }
}

/// The programs, and where they run.
#[derive(Debug, Clone)]
pub struct Generators {
    /// Their cores, on each of which the injector has a thread.
    pub cores: Cores,
    /// Where they write: the directory of the run.
    pub directory: PathBuf,
}

impl Generators {
    /// Runs one job to its end. Dropping the future ends the program.
    ///
    /// # Errors
    /// When a program doesn't start, doesn't end, or says something else than results.
    pub async fn run(&self, job: &Job<'_>) -> anyhow::Result<Load> {
        match job.case.pattern {
            Pattern::Kept | Pattern::Close | Pattern::Streams => injected::run(self, job).await,
            Pattern::Handshakes(kind) => handshakes::run(self, job, kind).await,
        }
    }

    /// Runs a program to its end and reads what it says.
    async fn ask(&self, mut command: Command, seconds: u32) -> anyhow::Result<Said> {
        command.stdout(Stdio::piped());
        let program = command.get_program().to_owned();
        let name = PathBuf::from(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stderr = self.directory.join(format!("{name}.stderr"));
        let process = Process::start(command, &self.cores, &stderr)
            .with_context(|| format!("cannot start {}", program.display()))?;
        self.wait(&name, process, seconds).await
    }

    /// Waits for a program to end. What it says has to be read meanwhile, for it may be more than a pipe holds.
    async fn wait(&self, name: &str, mut process: Process, seconds: u32) -> anyhow::Result<Said> {
        let reader = process.child().stdout.take().map(|mut stdout| {
            std::thread::spawn(move || {
                let mut text = String::new();
                stdout.read_to_string(&mut text).map(|_| text)
            })
        });
        let ended = async {
            loop {
                match process.ended() {
                    Some(status) => break status,
                    None => tokio::time::sleep(POLL).await,
                }
            }
        };
        let limit = Duration::from_secs(seconds.into()) + GRACE;
        let status = tokio::time::timeout(limit, ended).await;
        let status = status.with_context(|| format!("{name} did not end"))?;
        let text = match reader.map(std::thread::JoinHandle::join) {
            Some(Ok(text)) => text?,
            Some(Err(_)) | None => String::new(),
        };
        Ok(Said { name: name.into(), status, text, complaints: process.complaints() })
    }
}

/// What a program has said at its end.
struct Said {
    name: String,
    status: ExitStatus,
    text: String,
    complaints: String,
}

impl Said {
    /// The results that it is read as, if it succeeded.
    fn results(self, parsed: Option<Load>) -> anyhow::Result<Load> {
        let Self { name, status, text, complaints } = self;
        match parsed {
            Some(load) if status.success() => Ok(load),
            Some(_) | None => bail!("{name} gave no results ({status}):\n{text}{complaints}"),
        }
    }
}

/// The value that so many of 100 don't exceed; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (100, 198));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 50)), (7, 7, 0));
    }

    #[test]
    fn what_went_wrong_is_told_in_words() {
        let errors = Errors { connect: 1, handshake: 5, read: 2, write: 0, timeout: 4, status: 1060 };
        assert_eq!(errors.sum(), 1072);
        assert_eq!(errors.describe(), "1 connect, 5 handshake, 2 read, 4 timeout, 1060 status");
        assert_eq!(Errors::default().describe(), "");
    }
}
