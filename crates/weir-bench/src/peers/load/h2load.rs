//! h2load: HTTP/2 with several streams on each connection, over TLS or with prior knowledge. It prints no percentiles,
//! so these are taken from the file that it writes.

use std::fs;

use anyhow::Context;

use super::{Errors, Generators, Job, Load, percentile};
use crate::harness::certificate::HOST;
use crate::harness::process::quiet;
use crate::peers::proxies::Front;

/// Requests at once on a connection.
pub(in crate::peers) const STREAMS: u32 = 10;

/// One connection of it for so many of another load: with [`STREAMS`] of each, there are still more requests at once.
pub(in crate::peers) const CONNECTIONS_DIVISOR: u32 = 4;

pub(super) async fn run(generators: &Generators, job: &Job<'_>) -> anyhow::Result<Load> {
    let program = generators.h2load.as_ref();
    let program =
        program.map_err(|why| anyhow::anyhow!("{why}; `apt-get install nghttp2-client` gets it"))?;
    let &Job { address, case, connections, seconds } = job;
    let log = generators.directory.join("h2load.log");
    let _ = fs::remove_file(&log);
    let mut command = quiet(program);
    let connections = (connections / CONNECTIONS_DIVISOR).max(1);
    command.arg(format!("-c{connections}")).arg(format!("-m{STREAMS}")).arg(format!("-D{seconds}"));
    command.arg("--log-file").arg(&log);
    let is_tls = match case.front {
        Front::Tls => true,
        Front::Http | Front::H2c | Front::Tcp => false,
    };
    if is_tls {
        // Its options don't keep it from TLS 1.2.
        command.env("OPENSSL_CONF", &generators.certificate.client_configuration);
        command.args(["--npn-list=h2", "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--groups=X25519"]);
        command.arg(format!("--connect-to={address}"));
        command.arg(format!("https://{HOST}{}", case.target()));
    } else {
        command.arg("--no-tls-proto=h2c").arg(format!("http://{address}{}", case.target()));
    }
    let said = generators.ask(command, seconds).await?;
    if let (true, Some(wanted)) = (is_tls, missing(&said.text)) {
        anyhow::bail!("h2load does not say \"{wanted}\" of its connections");
    }
    let durations = fs::read_to_string(&log).context("h2load has written no times")?;
    let parsed = parse(&said.text, &durations);
    said.results(parsed)
}

/// What the connections should have been and h2load doesn't say.
fn missing(text: &str) -> Option<&'static str> {
    let wanted = [
        "TLS Protocol: TLSv1.3",
        "Cipher: TLS_AES_128_GCM_SHA256",
        "Server Temp Key: X25519 253 bits",
        "Application protocol: h2",
    ];
    wanted.into_iter().find(|wanted| text.lines().all(|line| line.trim() != *wanted))
}

/// Reads what h2load printed, and its file of times; none if it isn't all there.
fn parse(text: &str, times: &str) -> Option<Load> {
    let counts = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let counts = line.split(", ").map(|part| {
            let (count, kind) = part.trim().split_once(' ')?;
            Some((kind, count.parse::<u64>().ok()?))
        });
        counts.collect::<Option<Vec<_>>>()
    };
    let requests = counts("requests:")?;
    let statuses = counts("status codes:")?;
    let of = |counts: &[(&str, u64)], kind: &str| {
        counts.iter().find(|(known, _)| *known == kind).map(|&(_, count)| count)
    };
    // finished in 2.00s, 24691.00 req/s, 1.20MB/s
    let finished = text.lines().find_map(|line| line.strip_prefix("finished in "))?;
    let per_second = finished.split(", ").find_map(|part| part.strip_suffix(" req/s"))?;
    let mut microseconds =
        times.lines().map(|line| line.split('\t').nth(2)?.parse().ok()).collect::<Option<Vec<u64>>>()?;
    microseconds.sort_unstable();
    // What fails with a status it counts as failed too, and what times out as an error.
    let status = of(&statuses, "4xx")? + of(&statuses, "5xx")?;
    let timeout = of(&requests, "timeout")?;
    let broken = of(&requests, "failed")?.saturating_sub(status + timeout);
    Some(Load {
        requests: of(&requests, "done")?,
        requests_per_second: per_second.parse().ok()?,
        p50_ms: percentile(&microseconds, 50) as f64 / 1e3,
        p99_ms: percentile(&microseconds, 99) as f64 / 1e3,
        errors: Errors { read: broken, timeout, status, ..Errors::default() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
starting benchmark...
progress: 100% of clients started
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2
Stopped all clients for thread #0

finished in 1.00s, 2000.00 req/s, 134.89KB/s
requests: 2013 total, 2018 started, 2013 done, 2000 succeeded, 13 failed, 9 errored, 3 timeout
status codes: 2000 2xx, 1 3xx, 2 4xx, 4 5xx
traffic: 134.89KB (138132) total, 95.70KB (98000) headers (space savings 50.00%), 3.91KB (4000) data
                     min         max         mean         sd        +/- sd
time for request:       23us       525us       145us        63us    71.05%
";

    const TIMES: &str = "1795617409734041\t200\t355\n1795617409734041\t200\t387\n1795617409734041\t502\t91\n";

    #[test]
    fn what_h2load_prints_is_read() {
        let errors = Errors { read: 4, timeout: 3, status: 6, ..Errors::default() };
        let load = Load { requests: 2013, requests_per_second: 2000.0, p50_ms: 0.355, p99_ms: 0.387, errors };
        assert_eq!(parse(PRINTED, TIMES), Some(load));
        assert_eq!(missing(PRINTED), None);
    }

    #[test]
    fn half_a_result_is_none() {
        for missing in ["finished in", "requests:", "status codes:"] {
            let rest: Vec<&str> = PRINTED.lines().filter(|line| !line.starts_with(missing)).collect();
            assert_eq!(parse(&rest.join("\n"), TIMES), None, "{missing}");
        }
        assert_eq!(parse(PRINTED, "1\t200\n"), None);
    }

    #[test]
    fn another_protocol_or_cipher_is_seen() {
        for wrong in [("TLSv1.3", "TLSv1.2"), ("_128_", "_256_"), ("X25519", "P-256"), (": h2", ": http/1.1")]
        {
            assert!(missing(&PRINTED.replace(wrong.0, wrong.1)).is_some(), "{wrong:?}");
        }
    }
}
