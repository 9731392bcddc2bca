//! Weir with one worker and with one on each core, all cores shared by everybody.
//!
//! On a machine where the load generator needs the same cores, twice the workers are not twice the requests. What
//! can be seen is whether a request costs more processor time when workers are many: what they share would show.

use anyhow::Context;

use super::bench::{Bench, OURS};
use super::rounds::{CaseRun, rounds};
use super::running::{Running, Variant};
use crate::harness::say;

/// Every case, with one worker and with as many as there are cores.
///
/// # Errors
/// When Weir is missing, doesn't start, or there is but one core.
pub async fn measure_all(bench: &Bench) -> anyhow::Result<Vec<CaseRun>> {
    let ours = bench.installed.iter().find(|installed| installed.peer.name == OURS);
    let ours = ours.context("--scale is about weir; it must be among --peers")?;
    let cores = u32::try_from(bench.options.proxy_cores.numbers().len())?;
    anyhow::ensure!(cores > 1, "--scale needs at least two cores: see --proxy-cores and --load-cores");
    let mut runs = Vec::new();
    for front in bench.options.fronts() {
        let mut contestants: Vec<Running> = Vec::new();
        for workers in [1, cores] {
            let variant = Variant { workers: Some(workers), ..Variant::of(front) };
            let mut running = ours.start(bench, &format!("scale-{workers}"), &variant).await?;
            running.name = if workers == 1 { "1 worker".into() } else { format!("{workers} workers") };
            contestants.push(running);
        }
        for case in bench.options.cases.iter().filter(|case| case.front == front) {
            say(&format!("{case}, 1 and {cores} workers …"));
            runs.push(CaseRun::new(case, false, rounds(bench, &contestants, case).await));
        }
    }
    Ok(runs)
}
