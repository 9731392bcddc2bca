//! Where the processor is emulated too: how much of a loss is its, and how the cards compare with each other.

use super::{Finding, in_mode, sentence, span};
use crate::report::summary::{Spread, Summary};
use crate::report::words;

/// Below this factor a processor is as quick as another.
const AS_QUICK: f64 = 1.1;

pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(processor(summary));
    found.extend(relative(summary));
    found
}

/// The CPU-only case, and what it explains.
fn processor(summary: &Summary) -> Option<Finding> {
    let native = summary.native?;
    let here = summary.subjects[native].work?;
    let slower = |guest: usize| Some(summary.subjects[guest].work?.median / here.median);
    let factors = Spread::of(summary.guests().filter_map(slower))?;
    let is_emulated = summary.guests().any(|guest| summary.subjects[guest].environment.is_emulated());
    if factors.max < AS_QUICK {
        let native = summary.name(native);
        return Some(Finding::result(format!(
            "Work without a network is as quick in the virtual machines as in {native}."
        )));
    }
    let how_long = if factors.max / factors.min > AS_QUICK {
        format!("{:.1} to {:.1} times", factors.min, factors.max)
    } else {
        words::times(factors.median)
    };
    let why = if is_emulated { " The processor of these machines is emulated by a program." } else { "" };
    // At the smallest object the loss is the largest that the processor can have a part in.
    let whole = summary.modes.iter().find_map(|mode| {
        let shares = summary.guests().filter_map(|guest| summary.share(mode, guest, native, 0));
        Spread::of(shares).map(|shares| 1.0 / shares.median)
    });
    let part = match whole {
        Some(whole) if factors.median > 1.5 && whole > factors.median => format!(
            " Of the {} fewer {} a second at {}, the processor alone would explain {}; the other {} are the card and the \
             changes between guest and host.",
            words::times(whole).replace(" times", "-fold"),
            summary.modes[0].mode.unit(),
            words::size(summary.sizes.first().copied().unwrap_or(0)),
            words::times(factors.median),
            words::times(whole / factors.median)
        )
        .replace("the other ", "the remaining "),
        Some(_) if factors.median > 1.5 => {
            " That is no less than what is lost in all: the processor's part can't be told from the cards', only how these \
             differ from each other."
                .into()
        }
        Some(_) | None => String::new(),
    };
    Some(Finding::result(format!(
        "Work without a network takes {how_long} as long in the virtual machines as in {}.{why}{part}",
        summary.name(native)
    )))
}

/// Each target as a share of the chosen virtual machine.
fn relative(summary: &Summary) -> Vec<Finding> {
    let Some(reference) = summary.relative_to else { return Vec::new() };
    let mut found = Vec::new();
    for mode in &summary.modes {
        let others = summary.guests().filter(|&guest| guest != reference);
        let mut shares: Vec<(usize, Spread)> =
            others.filter_map(|guest| Some((guest, summary.shares(mode, guest, reference)?))).collect();
        shares.sort_by(|one, two| two.1.median.total_cmp(&one.1.median));
        let said: Vec<String> = shares
            .iter()
            .map(|&(guest, share)| {
                format!("{} {}{}", summary.name(guest), words::percent(share.median), span(share))
            })
            .collect();
        if !said.is_empty() {
            found.push(Finding::result(sentence(&format!(
                "{}relative to {} (100 %), in {} a second over all sizes: {}.",
                in_mode(summary, mode.mode),
                summary.name(reference),
                mode.mode.unit(),
                words::list(&said)
            ))));
        }
    }
    found
}
