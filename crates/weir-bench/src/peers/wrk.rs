//! wrk as the load generator: a client that others wrote, run as a process and read by what it prints.

use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use super::case::Case;
use crate::harness::cores::Cores;
use crate::harness::process::{Process, quiet};

/// When wrk counts a request as timed out.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How much longer than its load wrk may take before it is given up.
const GRACE: Duration = Duration::from_secs(20);

/// The pause between two looks at whether wrk has ended.
const POLL: Duration = Duration::from_millis(10);

/// A load to put on one address.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// `127.0.0.1:PORT`.
    pub address: std::net::SocketAddr,
    /// What is asked for.
    pub case: &'a Case,
    /// Connections at once.
    pub connections: u32,
    /// How long.
    pub seconds: u32,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
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
}

/// How many times what went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// Connections that were refused.
    pub connect: u64,
    /// Connections that broke while reading.
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
        let Self { connect, read, write, timeout, status } = self;
        connect + read + write + timeout + status
    }

    /// In words, such as `3 read, 12 status`; empty if nothing went wrong.
    pub fn describe(&self) -> String {
        let Self { connect, read, write, timeout, status } = *self;
        let kinds = [
            (connect, "connect"),
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

/// The program and where it runs.
#[derive(Debug, Clone)]
pub struct Wrk {
    /// Its binary.
    pub program: PathBuf,
    /// Its cores, on each of which it has a thread.
    pub cores: Cores,
    /// A file for what it complains of.
    pub stderr: PathBuf,
}

impl Wrk {
    /// Runs one job to its end. Dropping the future ends wrk.
    ///
    /// # Errors
    /// When wrk doesn't start, doesn't end, or says something else than results.
    pub async fn run(&self, job: &Job<'_>) -> anyhow::Result<Load> {
        let mut command = quiet(&self.program);
        command.arg("--latency").stdout(Stdio::piped());
        let threads = u32::try_from(self.cores.numbers().len()).unwrap_or(1);
        command.arg(format!("-t{}", threads.min(job.connections)));
        command.arg(format!("-c{}", job.connections)).arg(format!("-d{}s", job.seconds));
        command.arg("--timeout").arg(format!("{}s", TIMEOUT.as_secs()));
        if job.case.close {
            command.arg("-H").arg("Connection: close");
        }
        command.arg(format!("http://{}{}", job.address, job.case.target()));
        let mut process = Process::start(command, &self.cores, &self.stderr)
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let ended = async {
            loop {
                match process.ended() {
                    Some(status) => break status,
                    None => tokio::time::sleep(POLL).await,
                }
            }
        };
        let limit = Duration::from_secs(job.seconds.into()) + GRACE;
        let status = tokio::time::timeout(limit, ended).await.context("wrk did not end")?;
        // It prints far less than a pipe holds, so reading may wait for its end.
        let mut said = String::new();
        if let Some(mut stdout) = process.child().stdout.take() {
            stdout.read_to_string(&mut said)?;
        }
        match parse(&said) {
            Some(load) if status.success() => Ok(load),
            Some(_) | None => bail!("wrk gave no results ({status}):\n{said}{}", process.complaints()),
        }
    }
}

/// Reads what wrk printed; none if it isn't all there.
fn parse(text: &str) -> Option<Load> {
    let after =
        |name: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(name)).map(str::trim);
    let requests =
        text.lines().find_map(|line| line.trim_start().split_once(" requests in ")?.0.parse().ok())?;
    let mut errors = Errors::default();
    for part in after("Socket errors:").unwrap_or("").split(", ").filter(|part| !part.is_empty()) {
        let (kind, count) = part.split_once(' ')?;
        let count = count.parse().ok()?;
        match kind {
            "connect" => errors.connect = count,
            "read" => errors.read = count,
            "write" => errors.write = count,
            "timeout" => errors.timeout = count,
            _ => return None,
        }
    }
    if let Some(count) = after("Non-2xx or 3xx responses:") {
        errors.status = count.parse().ok()?;
    }
    Some(Load {
        requests,
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
        errors,
    })
}

/// A time as wrk writes it: `950.00us`, `3.71ms`, `1.10s`, `2.00m`.
fn milliseconds(text: &str) -> Option<f64> {
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == '.');
    let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
    match unit {
        "us" => Some(number / 1e3),
        "ms" => Some(number),
        "s" => Some(number * 1e3),
        "m" => Some(number * 60e3),
        "h" => Some(number * 3600e3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
Running 1s test @ http://127.0.0.1:8080/?s=1k
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.14ms    2.05ms  23.18ms   85.02%
    Req/Sec     0.97k   104.18     1.17k    63.64%
  Latency Distribution
     50%  950.00us
     75%    4.89ms
     90%    6.16ms
     99%    1.16s
  1061 requests in 1.10s, 538.79KB read
  Socket errors: connect 1, read 2, write 0, timeout 4
  Non-2xx or 3xx responses: 1060
Requests/sec:    964.25
Transfer/sec:    489.66KB
";

    #[test]
    fn what_wrk_prints_is_read() {
        let errors = Errors { connect: 1, read: 2, write: 0, timeout: 4, status: 1060 };
        assert_eq!(
            (errors.sum(), errors.describe().as_str()),
            (1067, "1 connect, 2 read, 4 timeout, 1060 status")
        );
        let load = Load { requests: 1061, requests_per_second: 964.25, p50_ms: 0.95, p99_ms: 1160.0, errors };
        assert_eq!(parse(PRINTED), Some(load));
    }

    #[test]
    fn without_errors_wrk_says_nothing_of_them() {
        let clean: Vec<&str> =
            PRINTED.lines().filter(|line| !line.contains("errors:") && !line.contains("Non-2xx")).collect();
        let errors = parse(&clean.join("\n")).unwrap().errors;
        assert_eq!((errors.sum(), errors.describe().as_str()), (0, ""));
    }

    #[test]
    fn half_a_result_is_none() {
        for missing in ["50%", "99%", "requests in", "Requests/sec"] {
            let rest: Vec<&str> = PRINTED.lines().filter(|line| !line.contains(missing)).collect();
            assert_eq!(parse(&rest.join("\n")), None, "{missing}");
        }
        assert_eq!(parse("unable to connect to 127.0.0.1:1 Connection refused\n"), None);
    }
}
