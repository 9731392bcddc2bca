//! What the figures do not say, and which of them not to trust.

use super::Finding;
use crate::inject::outcome::Limit;
use crate::report::summary::{Cell, Summary};
use crate::report::words;
use crate::results::{Compared, Mode};

/// Rounds that lie further apart than this share of their median are told of.
const UNSTEADY: f64 = 0.2;

/// How many places are named; the others are counted.
const NAMED_MAX: usize = 4;

pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let mut found = Vec::new();
    if summary.modes.is_empty() {
        found.push(Finding::caveat("Nothing was measured yet."));
        return found;
    }
    found.extend(bound(summary, Limit::Injector, "the injector's own processors were the limit"));
    found.extend(bound(summary, Limit::Origin, "the origin's processors were the limit"));
    let starved = match summary.compares {
        Compared::Machines => "something else took the injector's processors",
        Compared::Programs => "the origin or something else took the injector's processors",
    };
    found.extend(bound(summary, Limit::Starved, starved));
    found.extend(errors(summary));
    // Programs are compared in cases, which are no table of all modes and sizes.
    if summary.compares == Compared::Machines {
        found.extend(missing(summary));
    }
    found.extend(failures(summary));
    found.extend(unsteady(summary));
    found.extend(emulated(summary));
    if summary.native.is_none() && summary.compares == Compared::Machines {
        found.push(Finding::caveat(
            "There is no native target: what is lost to the hypervisor itself is not known, only how the targets compare.",
        ));
    }
    if summary.rounds < 3 {
        found.push(Finding::caveat(format!(
            "{} a target: how far rounds lie apart is hardly known; three or more say it.",
            if summary.rounds == 1 { "One round".to_owned() } else { format!("{} rounds", summary.rounds) }
        )));
    }
    found
}

/// Every cell with where it is.
fn cells(summary: &Summary) -> impl Iterator<Item = (usize, Mode, u64, Option<&Cell>)> {
    summary.modes.iter().flat_map(move |mode| {
        mode.rows.iter().enumerate().flat_map(move |(subject, row)| {
            row.iter().zip(&summary.sizes).map(move |(cell, &size)| (subject, mode.mode, size, cell.as_ref()))
        })
    })
}

/// `native at 0 and 1 KB, virtio at 0`; the places of some cells.
fn places(summary: &Summary, of: impl Fn(&Cell) -> bool) -> Option<String> {
    let mut by_subject: Vec<(String, Vec<String>)> = Vec::new();
    for (subject, mode, size, cell) in cells(summary) {
        if !cell.is_some_and(&of) {
            continue;
        }
        let name = if summary.modes.len() > 1 {
            format!("{} ({})", summary.name(subject), mode.words())
        } else {
            summary.name(subject).to_owned()
        };
        match by_subject.last_mut().filter(|(last, _)| *last == name) {
            Some((_, sizes)) => sizes.push(words::size(size)),
            None => by_subject.push((name, vec![words::size(size)])),
        }
    }
    let more = by_subject.len().saturating_sub(NAMED_MAX);
    by_subject.truncate(NAMED_MAX);
    let mut said: Vec<String> = by_subject
        .into_iter()
        .map(|(name, sizes)| {
            let all = sizes.len() == summary.sizes.len() && sizes.len() > 1;
            if all { format!("{name} at every size") } else { format!("{name} at {}", words::list(&sizes)) }
        })
        .collect();
    if more > 0 {
        said.push(format!("{more} more"));
    }
    (!said.is_empty()).then(|| words::list(&said))
}

fn bound(summary: &Summary, limit: Limit, words: &str) -> Option<Finding> {
    let places = places(summary, |cell| cell.bound == Some(limit))?;
    let meaning = if limit == Limit::Starved {
        "their figures are neither's; leave the machine alone and measure again"
    } else {
        "these targets can do at least that, and losses against them are at least as large"
    };
    Some(Finding::caveat(format!("For {places}, {words}: {meaning}.")))
}

fn errors(summary: &Summary) -> Option<Finding> {
    let places = places(summary, Cell::is_doubtful)?;
    let mut said: Vec<String> = Vec::new();
    for (_, _, _, cell) in cells(summary) {
        let text =
            cell.filter(|cell| cell.is_doubtful()).map(|cell| cell.errors.describe()).unwrap_or_default();
        if !text.is_empty() && !said.contains(&text) && said.len() < 2 {
            said.push(text);
        }
    }
    let what = if said.is_empty() { String::new() } else { format!(" (such as {})", said.join("; ")) };
    Some(Finding::caveat(format!(
        "Requests failed for {places}{what}: failed rounds are left out of the medians, and what is left is to be \
         doubted."
    )))
}

fn missing(summary: &Summary) -> Option<Finding> {
    let all = cells(summary).count();
    let missing = cells(summary).filter(|(.., cell)| cell.is_none()).count();
    let short = cells(summary)
        .filter(|(.., cell)| {
            cell.is_some_and(|cell| cell.rate.count + cell.rounds_failed < summary.rounds as usize)
        })
        .count();
    if missing == 0 && short == 0 {
        return None;
    }
    let rounds = if short > 0 {
        format!(", and {short} have fewer than {} rounds", summary.rounds)
    } else {
        String::new()
    };
    Some(Finding::caveat(format!(
        "{missing} of {all} combinations of target, mode and size were not measured{rounds}; `weir bench matrix` goes on \
         where it stopped."
    )))
}

fn failures(summary: &Summary) -> Vec<Finding> {
    let mut said: Vec<(String, String, u32)> = Vec::new();
    for (target, _, why) in &summary.failures {
        let why = why.trim().trim_end_matches('.');
        match said.iter_mut().find(|(name, words, _)| name == target && words == why) {
            Some((.., count)) => *count += 1,
            None => said.push((target.clone(), why.to_owned(), 1)),
        }
    }
    let say = |(target, why, count): (String, String, u32)| {
        let times = if count > 1 { format!(" in {count} rounds") } else { String::new() };
        Finding::caveat(format!("{target} could not be measured{times}: {why}."))
    };
    said.into_iter().take(2 * NAMED_MAX).map(say).collect()
}

fn unsteady(summary: &Summary) -> Option<Finding> {
    let places = places(summary, |cell| cell.rate.count > 1 && cell.rate.width() > UNSTEADY)?;
    Some(Finding::caveat(format!(
        "Rounds lie more than {} apart for {places}: smaller differences than that say nothing there.",
        words::percent(UNSTEADY)
    )))
}

fn emulated(summary: &Summary) -> Option<Finding> {
    let is_emulated = |&guest: &usize| summary.subjects[guest].environment.is_emulated();
    summary.guests().find(is_emulated)?;
    Some(Finding::caveat(
        "The processor is emulated here (QEMU's TCG): losses against native are far above those of a hypervisor that \
         uses the processor's own virtualization. Compare the cards with each other, and measure on the real thing.",
    ))
}
