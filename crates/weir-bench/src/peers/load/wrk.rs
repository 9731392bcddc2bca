//! wrk: HTTP/1 on connections that are kept, or on one for each request, plain or in TLS. A client that others wrote,
//! read by what it prints.

use super::{Errors, Generators, Job, Load, TIMEOUT};
use crate::harness::process::quiet;
use crate::peers::case::Pattern;
use crate::peers::proxies::Front;

pub(super) async fn run(generators: &Generators, job: &Job<'_>) -> anyhow::Result<Load> {
    let Job { address, case, connections, seconds } = job;
    let mut command = quiet(&generators.wrk);
    command.arg("--latency");
    let threads = u32::try_from(generators.cores.numbers().len()).unwrap_or(1);
    command.arg(format!("-t{}", threads.min(*connections)));
    command.arg(format!("-c{connections}")).arg(format!("-d{seconds}s"));
    command.arg("--timeout").arg(format!("{}s", TIMEOUT.as_secs()));
    if case.pattern == Pattern::Close {
        command.arg("-H").arg("Connection: close");
    }
    // It has no option for what it offers, but OpenSSL reads this.
    command.env("OPENSSL_CONF", &generators.certificate.client_configuration);
    let scheme = match case.front {
        Front::Http | Front::H2c | Front::Tcp => "http",
        Front::Tls => "https",
    };
    command.arg(format!("{scheme}://{address}{}", case.target()));
    let said = generators.ask(command, *seconds).await?;
    let parsed = parse(&said.text);
    said.results(parsed)
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
        let errors = Errors { connect: 1, read: 2, timeout: 4, status: 1060, ..Errors::default() };
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
