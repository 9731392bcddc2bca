//! The processor time of a request.

use super::{Finding, in_mode, sentence};
use crate::report::summary::{Cell, ModeSummary, Spread, Summary};
use crate::report::words;
use crate::results::Compared;

/// From how many times the least a target's processor time is worth a sentence.
const NOTABLE: f64 = 1.2;

pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    type Figure = fn(&Cell) -> Option<f64>;
    let on_host = match summary.compares {
        Compared::Machines => "on the host ",
        Compared::Programs => "",
    };
    let kinds: [(&str, Figure); 2] =
        [(on_host, |cell| cell.host_us), ("within the guest ", |cell| cell.guest_us)];
    let mut found = Vec::new();
    for mode in &summary.modes {
        found.extend(kinds.into_iter().filter_map(|(place, figure)| of_mode(summary, mode, place, figure)));
    }
    found
}

fn of_mode(
    summary: &Summary,
    mode: &ModeSummary,
    place: &str,
    figure: impl Fn(&Cell) -> Option<f64>,
) -> Option<Finding> {
    // Only virtual machines are compared: on the host, native's time is another thing.
    let middle = |guest: usize| {
        let sizes = 0..summary.sizes.len();
        let values = sizes.filter_map(|size| figure(summary.figures(mode, guest, size)?));
        Some((guest, Spread::of(values)?.median))
    };
    let mut all: Vec<(usize, f64)> =
        summary.guests().filter_map(middle).filter(|(_, us)| *us > 0.0).collect();
    all.sort_by(|one, two| one.1.total_cmp(&two.1));
    let [(least, least_us), others @ ..] = &all[..] else { return None };
    let begin = in_mode(summary, mode.mode);
    let more: Vec<String> = others
        .iter()
        .filter(|(_, us)| us / least_us >= NOTABLE)
        .map(|&(guest, us)| format!("{} {}", summary.name(guest), words::times(us / least_us)))
        .collect();
    let name = summary.name(*least);
    let first =
        format!("{begin}a request costs {} of processor time {place}with {name}", words::time(*least_us));
    Some(Finding::result(sentence(&match (others.is_empty(), more.is_empty()) {
        (true, _) => format!("{first}."),
        (false, true) => format!("{first}, and hardly more with the others."),
        (false, false) => format!("{first}; the same work costs {} that.", words::list(&more)),
    })))
}
