//! What bounds a target at which size: below some size its connections (or requests) a second, above some size its
//! bandwidth.

use super::{Finding, in_mode, sentence};
use crate::report::summary::{ModeSummary, Summary};
use crate::report::words;

/// The rate is the limit while it stays within this share of what it is for the smallest object.
const RATE_STAYS: f64 = 0.85;

/// The bandwidth is the limit from where it stays within this share of the most.
const BANDWIDTH_STAYS: f64 = 0.9;

/// A card's speed is used up from this share of it on; the rest is taken by what frames and packets carry besides.
const LINK_FULL: f64 = 0.9;

/// Where more is done with larger objects than with smaller ones, beyond this factor, something disturbed.
const DISTURBED: f64 = 1.2;

/// What bounds one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turns {
    /// The largest size up to which the rate stays the same, and that rate.
    pub(super) rate_up_to: (u64, f64),
    /// The smallest size from which on the bandwidth stays the same, and that bandwidth; none where it still grows.
    pub(super) bandwidth_from: Option<(u64, f64)>,
    /// The bandwidth at the largest size.
    pub(super) bandwidth_last: f64,
    pub(super) size_last: u64,
}

/// Where the limits of a target turn; none where fewer than three sizes were measured, of which nothing follows.
pub(super) fn turns(figures: &[(u64, f64, f64)]) -> Option<Turns> {
    let [(size_first, rate_first, _), _, .., (size_last, _, bandwidth_last)] = *figures else { return None };
    if is_disturbed(figures) {
        return None;
    }
    let stays = figures.iter().take_while(|(_, rate, _)| *rate >= RATE_STAYS * rate_first);
    let rate_up_to = (stays.last().map_or(size_first, |(size, ..)| *size), rate_first);
    let most = figures.iter().map(|(.., bandwidth)| *bandwidth).fold(0.0, f64::max);
    let flat: Vec<_> =
        figures.iter().rev().take_while(|(.., bandwidth)| *bandwidth >= BANDWIDTH_STAYS * most).collect();
    // One size that has the most is no plateau: the next could have more.
    let bandwidth_from = match flat[..] {
        [_, .., from] if from.0 > size_first => Some((from.0, most)),
        _ => None,
    };
    Some(Turns { rate_up_to, bandwidth_from, bandwidth_last, size_last })
}

/// Whether a rate is far above that of a smaller object, which nothing but chance explains.
fn is_disturbed(figures: &[(u64, f64, f64)]) -> bool {
    let mut least = f64::INFINITY;
    figures.iter().any(|(_, rate, _)| {
        let is_above = *rate > DISTURBED * least;
        least = least.min(*rate);
        is_above
    })
}

/// A word about the targets of which nothing is said.
fn disturbed(summary: &Summary, mode: &ModeSummary) -> Option<Finding> {
    let is_one = |&subject: &usize| is_disturbed(&figures(summary, mode, subject));
    let names: Vec<&str> =
        (0..summary.subjects.len()).filter(is_one).map(|subject| summary.name(subject)).collect();
    (!names.is_empty()).then(|| {
        Finding::caveat(sentence(&format!(
            "{}more {} a second were counted with larger objects than with smaller ones for {}: something else disturbed, \
             and what limits {} can't be said. Measure on a quiet machine, for longer, in more rounds.",
            in_mode(summary, mode.mode),
            mode.mode.unit(),
            words::list(&names),
            if names.len() == 1 { "it" } else { "them" }
        )))
    })
}

pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let mut found = Vec::new();
    for mode in &summary.modes {
        let all: Vec<(usize, Turns)> = (0..summary.subjects.len())
            .filter_map(|subject| Some((subject, turns(&figures(summary, mode, subject))?)))
            .collect();
        // Targets whose limits turn at the same sizes share a sentence.
        let mut groups: Vec<(Vec<usize>, Vec<Turns>)> = Vec::new();
        for (subject, turns) in all {
            let key = |turns: &Turns| {
                (turns.rate_up_to.0, turns.bandwidth_from.map(|(size, _)| size), turns.size_last)
            };
            match groups.iter_mut().find(|(_, others)| key(&others[0]) == key(&turns)) {
                Some((subjects, others)) => {
                    subjects.push(subject);
                    others.push(turns);
                }
                None => groups.push((vec![subject], vec![turns])),
            }
        }
        found.extend(disturbed(summary, mode));
        found.extend(groups.iter().map(|(subjects, turns)| say(summary, mode, subjects, turns)));
    }
    found
}

fn figures(summary: &Summary, mode: &ModeSummary, subject: usize) -> Vec<(u64, f64, f64)> {
    let figure = |(index, &size): (usize, &u64)| {
        summary.figures(mode, subject, index).map(|cell| (size, cell.rate.median, cell.megabits.median))
    };
    summary.sizes.iter().enumerate().filter_map(figure).collect()
}

fn say(summary: &Summary, mode: &ModeSummary, subjects: &[usize], turns: &[Turns]) -> Finding {
    let names: Vec<&str> = subjects.iter().map(|&subject| summary.name(subject)).collect();
    let unit = mode.mode.unit();
    let one = turns[0];
    let rates = span(turns.iter().map(|turns| turns.rate_up_to.1), words::count);
    let rate = if one.rate_up_to.0 == summary.sizes.first().copied().unwrap_or(0) {
        format!("{rates} {unit} a second at {}, and fewer with larger objects", words::size(one.rate_up_to.0))
    } else {
        format!("up to {} the {unit} are the limit ({rates} a second)", words::size(one.rate_up_to.0))
    };
    let bandwidth = match one.bandwidth_from {
        Some((from, _)) => {
            let most = span(turns.iter().filter_map(|turns| Some(turns.bandwidth_from?.1)), words::megabits);
            format!(
                "from {} on the bandwidth is ({most}{})",
                words::size(from),
                link(summary, subjects, turns)
            )
        }
        None => {
            let last = span(turns.iter().map(|turns| turns.bandwidth_last), words::megabits);
            format!(
                "the bandwidth still grows at {} ({last}): no link was filled",
                words::size(one.size_last)
            )
        }
    };
    Finding::result(format!("{}{}: {rate}; {bandwidth}.", in_mode(summary, mode.mode), words::list(&names)))
}

/// `12,000`, or `900 to 12,000`.
fn span(values: impl Iterator<Item = f64> + Clone, text: fn(f64) -> String) -> String {
    let least = text(values.clone().fold(f64::INFINITY, f64::min));
    let most = text(values.fold(f64::NEG_INFINITY, f64::max));
    if least == most { least } else { format!("{least} to {most}") }
}

/// What a full card is called, where all of these have one of the same speed and fill it.
fn link(summary: &Summary, subjects: &[usize], turns: &[Turns]) -> String {
    let speed = |&subject: &usize| {
        summary.subjects[subject].environment.cards.iter().find_map(|card| card.speed_mbit)
    };
    let speeds: Vec<Option<u64>> = subjects.iter().map(speed).collect();
    let Some(Some(first)) = speeds.first().copied() else { return String::new() };
    let is_full =
        |turns: &Turns| turns.bandwidth_from.is_some_and(|(_, most)| most >= LINK_FULL * first as f64);
    let all_same = speeds.iter().all(|speed| *speed == Some(first));
    if all_same && turns.iter().all(is_full) {
        format!(", the whole link of {}", words::megabits(first as f64))
    } else {
        String::new()
    }
}
