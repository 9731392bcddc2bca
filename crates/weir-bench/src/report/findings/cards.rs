//! Which card to take: emulated cards against paravirtual ones.

use super::{Finding, in_mode, sentence};
use crate::report::cards::CardKind;
use crate::report::summary::{ModeSummary, Spread, Summary};
use crate::report::words;

/// Groups that differ by less than this share of the better one's rate are called alike.
const ALIKE: f64 = 0.05;

/// A card is ahead of another if it is at this share of the sizes, beyond what rounds lie apart.
const AHEAD_AT: f64 = 0.75;

pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    summary.modes.iter().filter_map(|mode| of_mode(summary, mode)).collect()
}

/// The targets with cards of one kind.
struct Group {
    /// Each with its share of the reference's rate over all sizes, the best first.
    members: Vec<(usize, Spread)>,
    /// Of these: the best one of those with the fewest processors.
    best: usize,
}

impl Group {
    fn of(summary: &Summary, mode: &ModeSummary, kind: CardKind, reference: usize) -> Option<Self> {
        let is_one = |&guest: &usize| summary.subjects[guest].kind == Some(kind);
        let share = |guest| Some((guest, summary.shares(mode, guest, reference)?));
        let mut members: Vec<(usize, Spread)> = summary.guests().filter(is_one).filter_map(share).collect();
        members.sort_by(|one, two| two.1.median.total_cmp(&one.1.median));
        // What one with more processors has is not its card's.
        let processors = |guest: usize| summary.subjects[guest].environment.processors;
        let fewest = members.iter().filter_map(|&(guest, _)| processors(guest)).min();
        let best =
            members.iter().position(|&(guest, _)| processors(guest).is_none_or(|n| Some(n) == fewest))?;
        Some(Self { members, best })
    }

    fn spread(&self) -> Spread {
        let medians = Spread::of(self.members.iter().map(|(_, share)| share.median));
        medians.expect("a group has members, whose medians are numbers")
    }

    fn best(&self) -> (usize, Spread) {
        self.members[self.best]
    }

    fn names(&self, summary: &Summary) -> String {
        let names: Vec<&str> = self.members.iter().map(|&(guest, _)| summary.name(guest)).collect();
        words::list(&names)
    }
}

fn of_mode(summary: &Summary, mode: &ModeSummary) -> Option<Finding> {
    // Without native, or where it failed, shares are of the best virtual machine.
    let native = summary.native.filter(|&native| is_measured(summary, mode, native));
    let reference = native.or_else(|| best_guest(summary, mode))?;
    let emulated = Group::of(summary, mode, CardKind::Emulated, reference)?;
    let made = Group::of(summary, mode, CardKind::Paravirtual, reference)?;
    let (begin, unit) = (in_mode(summary, mode.mode), mode.mode.unit());
    let (slow, fast) = (emulated.spread(), made.spread());
    let factor = fast.median / slow.median;
    let (take, take_share) = made.best();
    let take_name = summary.name(take);
    let lost = |share: Spread| words::percent(1.0 - share.median);
    let names = format!("emulated cards ({})", emulated.names(summary));
    // The best of one kind against the best of the other, or a slow member would decide.
    let (slow_name, slow_share) = (summary.name(emulated.best().0), emulated.best().1.median);
    let (more, less) = (take_share.median.max(slow_share), take_share.median.min(slow_share));
    if less > more * (1.0 - ALIKE) {
        return Some(Finding::result(sentence(&format!(
            "{begin}it makes no difference here whether a card is emulated: the best emulated one, {slow_name}, is \
             within {} of {take_name}.",
            words::percent(ALIKE)
        ))));
    }
    let emulated_wins = slow_share > take_share.median;
    let (ahead, behind) = if emulated_wins { (emulated.best().0, take) } else { (take, emulated.best().0) };
    if !is_ahead(summary, mode, ahead, behind) {
        return Some(Finding::result(sentence(&format!(
            "{begin}whether a card is emulated makes no difference that can be told from how far rounds lie apart: {} is \
             not ahead of {} at every size.",
            summary.name(ahead),
            summary.name(behind)
        ))));
    }
    if emulated_wins {
        return Some(Finding::result(sentence(&format!(
            "{begin}the emulated card {slow_name} is ahead of {take_name} by {}: that is unusual, look at the \
             paravirtual card's settings.",
            words::percent(slow_share / take_share.median - 1.0)
        ))));
    }
    let alone = made.members.len() == 1;
    let others = if alone { String::new() } else { format!(" ({})", made.names(summary)) };
    let kind = if alone { take_name.to_owned() } else { "paravirtual ones".into() };
    let compared = match native {
        Some(native) if slow.median < 1.0 => format!(
            "lose {} of the {unit} a second against {}, {kind} {}{others}",
            lost(slow),
            summary.name(native),
            if fast.median < 1.0 {
                format!("{} {}", if alone { "loses" } else { "lose" }, lost(fast))
            } else {
                "nothing".into()
            }
        ),
        Some(_) | None => {
            format!("reach {} of the {unit} a second of {kind}{others}", words::percent(1.0 / factor))
        }
    };
    Some(Finding::advice(sentence(&format!("{begin}{names} {compared}: take {take_name}."))))
}

/// Whether one target has more than another at most of the sizes that both have, in every round.
fn is_ahead(summary: &Summary, mode: &ModeSummary, one: usize, other: usize) -> bool {
    let both =
        |size| Some((summary.figures(mode, one, size)?.rate, summary.figures(mode, other, size)?.rate));
    let all: Vec<(Spread, Spread)> = (0..summary.sizes.len()).filter_map(both).collect();
    let ahead = all.iter().filter(|(one, other)| one.min > other.max).count();
    ahead as f64 >= AHEAD_AT * all.len() as f64
}

fn is_measured(summary: &Summary, mode: &ModeSummary, subject: usize) -> bool {
    (0..summary.sizes.len()).any(|size| summary.figures(mode, subject, size).is_some())
}

/// The virtual machine with the most, at the first size that one has.
fn best_guest(summary: &Summary, mode: &ModeSummary) -> Option<usize> {
    (0..summary.sizes.len()).find_map(|size| {
        let rate = |guest: usize| Some((guest, summary.figures(mode, guest, size)?.rate.median));
        summary.guests().filter_map(rate).max_by(|one, two| one.1.total_cmp(&two.1)).map(|(guest, _)| guest)
    })
}
