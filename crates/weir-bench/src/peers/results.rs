//! The comparison as results of a benchmark, which `weir bench report` shows as it shows those of hypervisors.
//!
//! Plain HTTP alone: what is asked for in TLS, of a handshake or through a tunnel is no size of an object on a way to use
//! connections, and stays in the tables.

use super::bench::{Bench, Options};
use super::case::{Case, Pattern};
use super::proxies::Front;
use super::rounds::{CaseRun, Round};
use crate::results::{
    Aim, Compared, CpuOf, CpuUse, Environment, Measurement, Mode, Results, Scenario, Target,
};

/// With whom the others are compared.
const REFERENCE: &str = "haproxy";

/// The results of these cases, of those without an access log; none where no case is one of plain HTTP.
pub fn results(bench: &Bench, runs: &[CaseRun], now_unix_ms: u64) -> Option<Results> {
    let runs: Vec<(Mode, &CaseRun)> =
        runs.iter().filter(|run| !run.access_log).filter_map(|run| Some((mode(&run.case)?, run))).collect();
    let here = Environment { cards: Vec::new(), ..Environment::here() };
    let target = |name: &str, version: &str| Target {
        name: name.into(),
        about: None,
        card: None,
        environment: Environment { program: Some(version.into()), ..here.clone() },
    };
    let targets = bench.installed.iter().map(|one| target(one.peer.name, &one.version)).collect();
    let names: Vec<&str> = bench.installed.iter().map(|one| one.peer.name).collect();
    let mut results =
        Results::new(scenario(&bench.options, &names, &runs), targets, here.clone(), now_unix_ms);
    let measured =
        runs.iter().flat_map(|&(mode, run)| run.rounds.iter().map(move |round| (mode, run, round)));
    results.measurements = measured.filter_map(|(mode, run, round)| of(mode, &run.case, round)).collect();
    (!results.measurements.is_empty()).then_some(results)
}

fn scenario(options: &Options, names: &[&str], runs: &[(Mode, &CaseRun)]) -> Scenario {
    let mut sizes: Vec<u64> = runs.iter().map(|(_, run)| run.case.bytes()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let is_used = |mode: &Mode| runs.iter().any(|(one, _)| one == mode);
    Scenario {
        title: "Weir and other proxies".into(),
        sizes,
        modes: Mode::ALL.into_iter().filter(is_used).collect(),
        rounds: options.rounds,
        duration_ms: u64::from(options.seconds) * 1000,
        warm_up_ms: 0,
        users: options.connections,
        native: None,
        relative_to: names.contains(&REFERENCE).then(|| REFERENCE.into()),
        compares: Compared::Programs,
        // Each is at a port of its own, another one in each run.
        targets: names
            .iter()
            .map(|&name| Aim { name: name.into(), url: "http://127.0.0.1/".into() })
            .collect(),
    }
}

/// How a case of plain HTTP uses connections.
fn mode(case: &Case) -> Option<Mode> {
    match (case.front, case.pattern) {
        (Front::Http, Pattern::Kept) => Some(Mode::KeepAlive),
        (Front::Http, Pattern::Close) => Some(Mode::Close),
        (Front::H2c, Pattern::Streams) => Some(Mode::Http2),
        (Front::Http | Front::Tls | Front::H2c | Front::Tcp, _) => None,
    }
}

fn of(mode: Mode, case: &Case, round: &Round) -> Option<Measurement> {
    let outcome = round.load.outcome.as_deref()?;
    let requests = round.load.requests;
    let cpu = CpuUse { seconds: round.cpu.total_us() * requests as f64 / 1e6, requests, of: CpuOf::Process };
    Some(Measurement {
        host: Some(cpu),
        ..Measurement::of(&round.peer, round.round, mode, case.bytes(), outcome)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_of_plain_http_have_a_mode() {
        let of = |name: &str| mode(&name.parse().unwrap());
        assert_eq!(of("1k"), Some(Mode::KeepAlive));
        assert_eq!(of("0b-close"), Some(Mode::Close));
        assert_eq!(of("h2c-1k"), Some(Mode::Http2));
        for other in ["https-1k", "h2-1k", "tls-full", "tcp-1m"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
