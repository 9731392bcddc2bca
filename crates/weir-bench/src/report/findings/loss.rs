//! What each virtual machine loses against native.

use super::{Finding, in_mode, sentence, span};
use crate::report::summary::{ModeSummary, Spread, Summary};
use crate::report::words;

pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let Some(native) = summary.native else { return Vec::new() };
    summary.modes.iter().filter_map(|mode| of_mode(summary, mode, native)).collect()
}

fn of_mode(summary: &Summary, mode: &ModeSummary, native: usize) -> Option<Finding> {
    let mut losses: Vec<(usize, Spread)> =
        summary.guests().filter_map(|guest| Some((guest, loss(summary, mode, guest, native)?))).collect();
    losses.sort_by(|one, two| one.1.median.total_cmp(&two.1.median));
    let said: Vec<String> =
        losses.iter().map(|&(guest, loss)| words_for(summary.name(guest), loss)).collect();
    let unit = mode.mode.unit();
    let native = summary.name(native);
    (!said.is_empty()).then(|| {
        let begin = in_mode(summary, mode.mode);
        Finding::result(sentence(&format!(
            "{begin}against {native}, in {unit} a second over all sizes: {}.",
            words::list(&said)
        )))
    })
}

/// What is lost at each size, as a share of native's rate.
fn loss(summary: &Summary, mode: &ModeSummary, guest: usize, native: usize) -> Option<Spread> {
    let Spread { median, min, max, count } = summary.shares(mode, guest, native)?;
    Some(Spread { median: 1.0 - median, min: 1.0 - max, max: 1.0 - min, count })
}

fn words_for(name: &str, loss: Spread) -> String {
    let middle = words::percent(loss.median.abs());
    let span = span(loss);
    if loss.median < 0.0 {
        format!("{name} gains {middle}{span}")
    } else {
        format!("{name} loses {middle}{span}")
    }
}
