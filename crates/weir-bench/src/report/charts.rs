//! Which charts a run has: for each mode connections a second, bandwidth, the loss against native, and each target
//! relative to the chosen virtual machine.

use super::chart::{Chart, Line, Point, Unit};
use super::summary::{Cell, ModeSummary, Spread, Summary};
use super::words;
use crate::results::Mode;

/// All charts in which there is something to see, in their order on the page.
pub(crate) fn charts(summary: &Summary) -> Vec<Chart> {
    let kinds: [fn(&Summary, &ModeSummary) -> Option<Chart>; 4] = [rate, bandwidth, loss, relative];
    let of_mode = |mode| kinds.iter().filter_map(move |chart| chart(summary, mode));
    summary.modes.iter().flat_map(of_mode).filter(|chart| !chart.is_empty()).collect()
}

fn rate(summary: &Summary, mode: &ModeSummary) -> Option<Chart> {
    let unit = mode.mode.unit();
    let title = match mode.mode {
        Mode::Close => "Connections a second".to_owned(),
        Mode::KeepAlive | Mode::Http2 => format!("Requests a second, {}", mode.mode.words()),
    };
    let subtitle = match mode.mode {
        Mode::Close => "One HTTP/1.0 request a connection".to_owned(),
        Mode::KeepAlive | Mode::Http2 => format!("Whole answers; higher is better ({unit} a second)"),
    };
    let point = |cell: &Cell| point(cell.rate);
    Some(chart(summary, mode, "rate", title, subtitle, Unit::Count, point))
}

fn bandwidth(summary: &Summary, mode: &ModeSummary) -> Option<Chart> {
    let title = match mode.mode {
        Mode::Close => "Bandwidth".to_owned(),
        Mode::KeepAlive | Mode::Http2 => format!("Bandwidth, {}", mode.mode.words()),
    };
    let subtitle = "What clients received, heads and bodies".to_owned();
    Some(chart(summary, mode, "bandwidth", title, subtitle, Unit::Megabits, |cell| point(cell.megabits)))
}

fn loss(summary: &Summary, mode: &ModeSummary) -> Option<Chart> {
    let native = summary.native?;
    let title = format!("Lost against {}", words::cut(summary.name(native), 24));
    let subtitle =
        format!("Share of the {} a second ({}); lower is better", mode.mode.unit(), mode.mode.words());
    Some(compared(summary, mode, native, ("loss", title, subtitle), |share| 1.0 - share))
}

fn relative(summary: &Summary, mode: &ModeSummary) -> Option<Chart> {
    let reference = summary.relative_to?;
    let title = format!("Relative to {}", words::cut(summary.name(reference), 24));
    let subtitle =
        format!("Share of its {} a second ({}); higher is better", mode.mode.unit(), mode.mode.words());
    Some(compared(summary, mode, reference, ("relative", title, subtitle), |share| share))
}

fn point(spread: Spread) -> Option<Point> {
    (spread.count > 0).then_some(Point { value: spread.median, between: (spread.min, spread.max) })
}

fn chart(
    summary: &Summary,
    mode: &ModeSummary,
    name: &str,
    title: String,
    subtitle: String,
    unit: Unit,
    point: impl Fn(&Cell) -> Option<Point>,
) -> Chart {
    let styles = styles(summary);
    let line = |(subject, row): (usize, &Vec<Option<Cell>>)| Line {
        name: summary.name(subject).to_owned(),
        style: styles[subject],
        points: row.iter().map(|cell| point(cell.as_ref()?)).collect(),
    };
    Chart {
        name: format!("{}-{name}", mode.mode.word().replace('_', "-")),
        title,
        subtitle,
        places: places(summary),
        places_are: "Size of the object".into(),
        unit,
        lines: mode.rows.iter().enumerate().map(line).filter(is_measured).collect(),
    }
}

/// A chart of every virtual machine's share of `reference`.
fn compared(
    summary: &Summary,
    mode: &ModeSummary,
    reference: usize,
    (name, title, subtitle): (&str, String, String),
    shown: fn(f64) -> f64,
) -> Chart {
    let styles = styles(summary);
    let point = |subject, size| {
        let value = shown(summary.share(mode, subject, reference, size)?);
        let (one, whole) = (summary.figures(mode, subject, size)?, summary.figures(mode, reference, size)?);
        let ends = [one.rate.min, one.rate.max].map(|rate| shown(rate / whole.rate.median));
        Some(Point { value, between: (ends[0].min(ends[1]), ends[0].max(ends[1])) })
    };
    let line = |subject: usize| Line {
        name: summary.name(subject).to_owned(),
        style: styles[subject],
        points: (0..summary.sizes.len()).map(|size| point(subject, size)).collect(),
    };
    Chart {
        name: format!("{}-{name}", mode.mode.word().replace('_', "-")),
        title,
        subtitle,
        places: places(summary),
        places_are: "Size of the object".into(),
        unit: Unit::Percent,
        lines: summary.guests().filter(|&guest| guest != reference).map(line).filter(is_measured).collect(),
    }
}

fn is_measured(line: &Line) -> bool {
    line.points.iter().any(Option::is_some)
}

fn places(summary: &Summary) -> Vec<String> {
    summary.sizes.iter().copied().map(words::size).collect()
}

/// The colour and marker of each target, the same in every chart: the paper's own ink for native, then in order.
fn styles(summary: &Summary) -> Vec<usize> {
    let mut next = 0;
    let style = |subject: usize| {
        if Some(subject) == summary.native {
            return 0;
        }
        next += 1;
        // Dashed lines go on with the colours, but the paper's ink is native's alone.
        next + next / super::chart::palette::colours()
    };
    (0..summary.subjects.len()).map(style).collect()
}
