//! What the rounds of one case say about each proxy: medians, and ratios within a round.

use serde::Serialize;

use super::bench::OURS;
use super::rounds::Round;
use crate::harness::say;

/// What is left of a proxy's rounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Whose.
    pub peer: String,
    /// Rounds that counted.
    pub rounds: usize,
    /// Rounds that didn't, because something went wrong in them.
    pub rounds_failed: usize,
    /// Medians over the rounds that counted.
    pub requests_per_second: f64,
    /// Half of the answers took no longer.
    pub p50_ms: f64,
    /// 99 of 100 answers took no longer.
    pub p99_ms: f64,
    /// The proxy's time in user space for each request.
    pub user_us: f64,
    /// The same in the kernel.
    pub system_us: f64,
    /// Both.
    pub total_us: f64,
    /// What origin and load generator needed for each request.
    pub load_us: f64,
    /// How busy this proxy kept its cores, from 0 to 1.
    pub proxy_cores_busy: f64,
    /// How busy origin and load generator kept theirs. Near 1 they, not the proxy, bounded the requests in a second.
    pub load_cores_busy: f64,
    /// How busy anything else kept all of these: the other figures are worth no more than this is small.
    pub others_busy: f64,
    /// Our processor time for each request over this proxy's; none for our own.
    pub ratio: Option<Ratio>,
}

/// A ratio that was taken in each round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// One summary for each proxy, in the order of the first round.
pub(super) fn summarize(rounds: &[Round]) -> Vec<Summary> {
    let mut names: Vec<&str> = Vec::new();
    for round in rounds {
        if !names.contains(&round.peer.as_str()) {
            names.push(&round.peer);
        }
    }
    names.into_iter().map(|peer| of_peer(peer, rounds)).collect()
}

fn of_peer(peer: &str, rounds: &[Round]) -> Summary {
    let all: Vec<&Round> = rounds.iter().filter(|round| round.peer == peer).collect();
    let clean: Vec<&Round> = all.iter().copied().filter(|round| round.is_clean()).collect();
    let of = |figure: fn(&Round) -> f64| median(clean.iter().copied().map(figure).collect()).unwrap_or(0.0);
    Summary {
        peer: peer.into(),
        rounds: clean.len(),
        rounds_failed: all.len() - clean.len(),
        requests_per_second: of(|round| round.load.requests_per_second),
        p50_ms: of(|round| round.load.p50_ms),
        p99_ms: of(|round| round.load.p99_ms),
        user_us: of(|round| round.cpu.user_us),
        system_us: of(|round| round.cpu.system_us),
        total_us: of(|round| round.cpu.total_us()),
        load_us: of(|round| round.origin_us + round.generator_us),
        proxy_cores_busy: of(|round| round.proxy_cores_busy),
        load_cores_busy: of(|round| round.load_cores_busy),
        others_busy: of(|round| round.others_busy),
        ratio: if peer == OURS { None } else { ratio(peer, rounds) },
    }
}

/// Our cost over `peer`'s, over the rounds that counted for both.
fn ratio(peer: &str, rounds: &[Round]) -> Option<Ratio> {
    let cost = |peer: &str, number: u32| {
        let round = rounds.iter().find(|round| round.peer == peer && round.round == number);
        round.filter(|round| round.is_clean()).map(|round| round.cpu.total_us()).filter(|&cost| cost > 0.0)
    };
    let last = rounds.iter().map(|round| round.round).max()?;
    let ratios: Vec<f64> =
        (0..=last).filter_map(|number| Some(cost(OURS, number)? / cost(peer, number)?)).collect();
    let min = ratios.iter().copied().reduce(f64::min)?;
    let max = ratios.iter().copied().reduce(f64::max)?;
    Some(Ratio { median: median(ratios)?, min, max })
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { (values[middle - 1] + upper) / 2.0 } else { upper })
}

/// Says which rounds of a case don't count, and why.
pub(super) fn warn(rounds: &[Round]) {
    for round in rounds.iter().filter(|round| !round.is_clean()) {
        let errors = round.load.errors.describe();
        let why = match &round.failure {
            Some(why) => why.as_str(),
            None if errors.is_empty() => "no request was answered",
            None => &errors,
        };
        say(&format!("  {}, round {}: does not count: {why}", round.peer, round.round + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::load::{Errors, Load};
    use crate::peers::usage::CpuTime;

    fn round(peer: &str, round: u32, us: f64, errors: u64) -> Round {
        let errors = Errors { read: errors, ..Errors::default() };
        let load = Load { requests: 10, requests_per_second: us * 100.0, errors, ..Load::default() };
        let cpu = CpuTime { user_us: us / 4.0, system_us: us * 0.75 };
        Round { peer: peer.into(), round, load, cpu, ..Round::default() }
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine is twice as slow in the second round, which the ratio doesn't notice.
        let rounds = [
            round("weir", 0, 10.0, 0),
            round("other", 0, 20.0, 0),
            round("other", 1, 40.0, 0),
            round("weir", 1, 20.0, 0),
            round("weir", 2, 15.0, 0),
            round("other", 2, 20.0, 0),
        ];
        let summaries = summarize(&rounds);
        assert_eq!(summaries[0].ratio, None);
        assert_eq!(summaries[1].ratio, Some(Ratio { median: 0.5, min: 0.5, max: 0.75 }));
        assert_eq!((summaries[0].total_us, summaries[0].user_us, summaries[0].rounds), (15.0, 3.75, 3));
    }

    #[test]
    fn a_round_with_an_error_counts_for_nothing() {
        let rounds = [
            round("weir", 0, 10.0, 0),
            round("other", 0, 1000.0, 1),
            round("weir", 1, 10.0, 0),
            round("other", 1, 20.0, 0),
        ];
        let other = &summarize(&rounds)[1];
        assert_eq!((other.rounds, other.rounds_failed, other.total_us), (1, 1, 20.0));
        assert_eq!(other.ratio, Some(Ratio { median: 0.5, min: 0.5, max: 0.5 }));
        let never = summarize(&[round("weir", 0, 10.0, 0), round("other", 0, 1.0, 1)]);
        assert_eq!((never[1].rounds, never[1].ratio), (0, None));
    }
}
