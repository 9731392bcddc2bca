//! Several runs: what changed for a target from one to the next.

use super::Finding;
use crate::report::summary::{Spread, Summary};
use crate::report::words;
use crate::results::Mode;

/// Changes below this share are not told, even where the rounds lie closer together.
const NOTABLE: f64 = 0.02;

/// How a target did in two runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trend {
    pub(crate) target: String,
    pub(crate) mode: Mode,
    /// What it has now of what it had, over the sizes that both have.
    pub(crate) share: Spread,
    /// Whether rounds of the two overlap at half of the sizes or more.
    pub(crate) is_noise: bool,
}

/// What became of each target that both have.
pub(crate) fn compare(before: &Summary, now: &Summary) -> Vec<Trend> {
    let mut trends = Vec::new();
    for (subject, after) in now.subjects.iter().enumerate() {
        let Some(earlier) = before.subjects.iter().position(|other| other.name == after.name) else {
            continue;
        };
        for mode in &now.modes {
            let Some(old_mode) = before.modes.iter().find(|other| other.mode == mode.mode) else { continue };
            let mut shares = Vec::new();
            let mut overlaps = 0;
            for (index, size) in now.sizes.iter().enumerate() {
                let old_index = before.sizes.iter().position(|other| other == size);
                let Some(old) = old_index.and_then(|old| before.figures(old_mode, earlier, old)) else {
                    continue;
                };
                let Some(new) = now.figures(mode, subject, index) else { continue };
                shares.push(new.rate.median / old.rate.median);
                overlaps += usize::from(old.rate.min <= new.rate.max && new.rate.min <= old.rate.max);
            }
            let is_noise = 2 * overlaps >= shares.len();
            let Some(share) = Spread::of(shares) else { continue };
            trends.push(Trend { target: after.name.clone(), mode: mode.mode, share, is_noise });
        }
    }
    trends
}

/// What changed from each run to the next, in words.
pub(crate) fn trends(runs: &[Summary]) -> Vec<Finding> {
    let mut found = Vec::new();
    for pair in runs.windows(2) {
        let [before, now] = pair else { continue };
        let label = |run: &Summary| format!("“{}” of {}", run.title, words::day(run.started_unix_ms));
        let all = compare(before, now);
        let (noise, real): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|trend| trend.is_noise || (trend.share.median - 1.0).abs() < NOTABLE);
        let change = |trend: &&Trend| {
            let change = trend.share.median - 1.0;
            format!(
                "{} {}{}",
                trend.target,
                if change > 0.0 { "+" } else { "−" },
                words::percent(change.abs())
            )
        };
        let of_mode = |mode: Mode| {
            let changes: Vec<String> =
                real.iter().filter(|trend| trend.mode == mode).map(|trend| change(&trend)).collect();
            (!changes.is_empty()).then(|| {
                format!("{} in {} a second with {}", words::list(&changes), mode.unit(), mode.words())
            })
        };
        let said: Vec<String> = Mode::ALL.into_iter().filter_map(of_mode).collect();
        let (from, to) = (label(before), label(now));
        found.push(match (said.is_empty(), noise.is_empty()) {
            (true, true) => {
                Finding::caveat(format!("{from} and {to} have no target in common: they can't be compared."))
            }
            (true, false) => Finding::result(format!(
                "From {from} to {to} nothing changed by more than the rounds lie apart."
            )),
            (false, true) => Finding::result(format!("From {from} to {to}: {}.", said.join("; "))),
            (false, false) => Finding::result(format!(
                "From {from} to {to}: {}. The others did not change by more than their rounds lie apart.",
                said.join("; ")
            )),
        });
    }
    found
}
