//! The origin's own counters, read before and after the measured time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::options::Options;
use super::outcome::OriginUse;
use super::target::Target;
use super::{InjectError, resolve};
use crate::objects::{SCHEMA, Stats, VERSION};

/// How long it may take to tell.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest that it may tell.
const BYTES_MAX: u64 = 1 << 20;

/// Asks the origin that these options name, if they name one.
///
/// # Errors
/// When it does not answer with counters of a version that is known here.
pub(super) fn ask(options: &Options) -> Result<Option<Stats>, InjectError> {
    let Some(url) = &options.origin_stats else { return Ok(None) };
    let failed = |why: String| InjectError::OriginStats { url: url.to_string(), why };
    if url.is_tls {
        return Err(failed("they are asked for without TLS".into()));
    }
    let text = fetch(url).map_err(|error| failed(error.to_string()))?;
    let stats: Stats = serde_json::from_slice(&text)
        .map_err(|error| failed(format!("this is not what `weir bench origin` tells at /stats: {error}")))?;
    if (stats.schema.as_str(), stats.version) != (SCHEMA, VERSION) {
        let (theirs, version) = (&stats.schema, stats.version);
        return Err(failed(format!("they are {theirs} {version}, and known here is {SCHEMA} {VERSION}")));
    }
    Ok(Some(stats))
}

fn fetch(url: &Target) -> io::Result<Vec<u8>> {
    let options = Options::new(url.clone(), super::options::Mode::Closed { users: 1 }, PATIENCE);
    let address = resolve::address(&options).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", url.path, url.authority());
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(BYTES_MAX).read_to_end(&mut answer)?;
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let end =
        answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| wrong("no answer of HTTP"))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let line = head.lines().next().unwrap_or("");
    if line.split(' ').nth(1) != Some("200") {
        return Err(wrong(&format!("it says `{line}`")));
    }
    Ok(answer.split_off(end + 4))
}

/// What the origin has done between two answers.
pub(super) fn between(before: &Stats, after: &Stats) -> OriginUse {
    let wall = after.uptime_ns.saturating_sub(before.uptime_ns).max(1) as f64;
    let (then, now) = (before.sum(), after.sum());
    let share = |then: u64, now: u64| now.saturating_sub(then) as f64 / wall;
    let threads = after.threads.len().max(1);
    let each = before.threads.iter().zip(&after.threads);
    let busiest = each.map(|(then, now)| share(then.run_ns, now.run_ns)).fold(0.0, f64::max);
    OriginUse {
        threads,
        connections: now.connections.saturating_sub(then.connections),
        requests: now.requests.saturating_sub(then.requests),
        bytes_sent: now.bytes_sent.saturating_sub(then.bytes_sent),
        busy: share(then.run_ns, now.run_ns) / threads as f64,
        busiest,
        waiting: share(then.wait_ns, now.wait_ns) / threads as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::ThreadStats;

    #[test]
    fn shares_are_of_the_time_between() {
        let stats = |uptime_ns, threads: [(u64, u64, u64); 2]| Stats {
            uptime_ns,
            threads: threads
                .map(|(requests, run_ns, wait_ns)| ThreadStats {
                    requests,
                    run_ns,
                    wait_ns,
                    ..ThreadStats::default()
                })
                .to_vec(),
            ..Stats::default()
        };
        let used =
            between(&stats(1000, [(5, 0, 0), (5, 100, 0)]), &stats(2000, [(10, 500, 200), (7, 1000, 0)]));
        assert_eq!((used.threads, used.requests), (2, 7));
        assert_eq!((used.busy, used.busiest, used.waiting), (0.7, 0.9, 0.1));
    }
}
