//! More connections than a proxy's server takes: does it go on answering as many as it can, and is it well again
//! when the load is gone?
//!
//! The proxy may have only a few connections to the origin, so nearly all clients wait for their turn or are
//! refused. Only proxies that can let requests wait take part. Each client asks again at once, so this is not an
//! overload by clients that don't wait; what grows is what waits.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::bench::{Bench, OURS};
use super::case::Case;
use super::client;
use super::load::Job;
use super::memory::Memory;
use super::rounds::{self, Round};
use super::running::{Installed, Running, Variant};
use crate::harness::say;

/// The connections of the steps.
const STEPS: [u32; 4] = [32, 256, 1024, 2048];

/// The proxy's connections to the origin.
const ORIGIN_CONNECTIONS_MAX: u32 = 64;

/// An answer within this time is a sign of health.
const HEALTHY: Duration = Duration::from_millis(10);

/// How long to wait for that sign.
const RECOVERY_WAIT: Duration = Duration::from_secs(30);

/// The pause between two looks.
const RECOVERY_POLL: Duration = Duration::from_millis(10);

/// One proxy and one case, step by step.
#[derive(Debug, Clone, Serialize)]
pub struct Overload {
    /// Whose.
    pub peer: String,
    /// What was asked for.
    pub case: Case,
    /// What it held before.
    pub base: Memory,
    /// From few connections to many.
    pub steps: Vec<Step>,
}

/// One number of connections.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Step {
    /// How many.
    pub connections: u32,
    /// Requests in a second that were answered well.
    pub answered_per_second: f64,
    /// The same over that of the best step.
    pub of_best: f64,
    /// By how much the proxy's resident memory has grown since the start, in KiB.
    pub rss_growth_kib: i64,
    /// From the end of the load to a fresh request answered within 10 ms; none within 30 s.
    pub recovery_seconds: Option<f64>,
    /// The measurement.
    pub round: Round,
}

/// Every proxy that queues, in every case.
///
/// # Errors
/// When Weir doesn't start. Any other proxy that doesn't is left out, with its complaints.
pub async fn measure_all(bench: &Bench) -> anyhow::Result<Vec<Overload>> {
    let mut all = Vec::new();
    for case in &bench.options.cases {
        for installed in bench.installed.iter().filter(|installed| installed.peer.queues) {
            let name = installed.peer.name;
            say(&format!("{case}, {name} under overload …"));
            match measure(bench, installed, case).await {
                Ok(overload) => all.push(overload),
                Err(why) if name == OURS => return Err(why),
                Err(why) => say(&format!("{name}: left out: {why:#}")),
            }
        }
    }
    Ok(all)
}

async fn measure(bench: &Bench, installed: &Installed, case: &Case) -> anyhow::Result<Overload> {
    let variant = Variant { origin_connections_max: Some(ORIGIN_CONNECTIONS_MAX), ..Variant::of(case.front) };
    let peer = installed.start(bench, "overload", &variant).await?;
    let base = Memory::of(peer.id());
    let mut steps = Vec::new();
    for connections in STEPS {
        let job = Job { address: peer.address, case, connections, seconds: bench.options.seconds };
        let round = rounds::measure(bench, &peer, &job).await;
        let recovery = recover(&peer, case).await;
        let load = &round.load;
        let well = load.answered() as f64 / load.requests.max(1) as f64;
        steps.push(Step {
            connections,
            answered_per_second: load.requests_per_second * well,
            of_best: 0.0,
            rss_growth_kib: Memory::of(peer.id()).rss_kib.cast_signed() - base.rss_kib.cast_signed(),
            recovery_seconds: recovery.map(|recovery| recovery.as_secs_f64()),
            round,
        });
    }
    compare_with_best(&mut steps);
    Ok(Overload { peer: peer.name.clone(), case: case.clone(), base, steps })
}

/// How long it takes until a fresh request is answered as if nothing had been.
async fn recover(peer: &Running, case: &Case) -> Option<Duration> {
    let ended = Instant::now();
    while ended.elapsed() < RECOVERY_WAIT {
        let asked = Instant::now();
        if client::fetch(peer.address, case.front).await.is_ok() && asked.elapsed() < HEALTHY {
            return Some(asked - ended);
        }
        tokio::time::sleep(RECOVERY_POLL).await;
    }
    None
}

fn compare_with_best(steps: &mut [Step]) {
    let best = steps.iter().map(|step| step.answered_per_second).fold(0.0, f64::max);
    for step in steps {
        step.of_best = if best > 0.0 { step.answered_per_second / best } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_compared_with_the_best() {
        let step = |answered_per_second| Step { answered_per_second, ..Step::default() };
        let mut steps = [step(10.0), step(20.0), step(5.0)];
        compare_with_best(&mut steps);
        assert_eq!(steps.map(|step| step.of_best), [0.5, 1.0, 0.25]);
        let mut steps = [step(0.0)];
        compare_with_best(&mut steps);
        assert_eq!(steps.map(|step| step.of_best), [0.0]);
    }
}
