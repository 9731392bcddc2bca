//! The tables of a run, as rows of text: the page and the Markdown show the same ones.

use super::summary::{Cell, ModeSummary, Spread, Subject, Summary};
use super::words;
use crate::results::{Card, Compared};

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) note: String,
    pub(crate) headers: Vec<String>,
    /// The first column is words, the others are figures.
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) is_words: bool,
}

/// The tables of figures, for each mode.
pub(crate) fn tables(summary: &Summary) -> Vec<Table> {
    let kinds: [fn(&Summary, &ModeSummary) -> Option<Table>; 5] = [rates, bandwidths, latencies, host, guest];
    summary.modes.iter().flat_map(|mode| kinds.iter().filter_map(move |table| table(summary, mode))).collect()
}

fn rates(summary: &Summary, mode: &ModeSummary) -> Option<Table> {
    let title = format!("{} a second, {}", capital(mode.mode.unit()), mode.mode.words());
    let note = format!(
        "The median of the rounds and, small, how far the rounds lie to either side. {} marks what was bounded by the \
         injector or the origin: at least that. {} marks failed requests or rounds.",
        AT_LEAST.trim(),
        DOUBTFUL.trim()
    );
    let cell = |cell: &Cell| {
        if cell.rate.count == 0 {
            return format!("failed{DOUBTFUL}");
        }
        let least = if cell.bound.is_some() { AT_LEAST } else { "" };
        let doubt = if cell.is_doubtful() { DOUBTFUL } else { "" };
        format!("{least}{}{}{doubt}", words::count(cell.rate.median), spread(cell.rate))
    };
    table(summary, mode, title, note, |one| Some(cell(one)))
}

fn bandwidths(summary: &Summary, mode: &ModeSummary) -> Option<Table> {
    let title = format!("Megabits a second, {}", mode.mode.words());
    let note =
        "Received by the clients, heads and bodies; what IP and Ethernet add is not counted.".to_owned();
    table(summary, mode, title, note, |cell| {
        (cell.megabits.count > 0).then(|| words::count((cell.megabits.median * 10.0).round() / 10.0))
    })
}

fn latencies(summary: &Summary, mode: &ModeSummary) -> Option<Table> {
    let title = format!("Time to the whole answer, {}", mode.mode.words());
    let note = "Half of the answers took no longer / 99 of 100 took no longer.".to_owned();
    table(summary, mode, title, note, |cell| {
        (cell.rate.count > 0).then(|| format!("{} / {}", words::time(cell.p50_us), words::time(cell.p99_us)))
    })
}

fn host(summary: &Summary, mode: &ModeSummary) -> Option<Table> {
    let (place, note) = match summary.compares {
        Compared::Machines => {
            (" on the host", "Everything that the host spent on the machine, the guest's own work included.")
        }
        Compared::Programs => ("", "All threads and processes of the program, in the kernel too."),
    };
    let title = format!("Processor time of a request{place}, {}", mode.mode.words());
    table(summary, mode, title, note.to_owned(), |cell| cell.host_us.map(words::time))
}

fn guest(summary: &Summary, mode: &ModeSummary) -> Option<Table> {
    let title = format!("Processor time of a request within the target, {}", mode.mode.words());
    let note = "As the target's own clock has it: on a busy host it also counts what the host did meanwhile."
        .to_owned();
    table(summary, mode, title, note, |cell| cell.guest_us.map(words::time))
}

const AT_LEAST: &str = "≥ ";
const DOUBTFUL: &str = " (!)";

/// ` ±1.3 %`; nothing of one round.
fn spread(spread: Spread) -> String {
    if spread.count < 2 || spread.median <= 0.0 {
        return String::new();
    }
    let share = (spread.max - spread.median).max(spread.median - spread.min) / spread.median;
    format!(" ±{}", words::percent(share))
}

/// A row for each target, a column for each size; none where no cell has anything.
fn table(
    summary: &Summary,
    mode: &ModeSummary,
    title: String,
    note: String,
    text: impl Fn(&Cell) -> Option<String>,
) -> Option<Table> {
    let sizes = summary.sizes.iter().copied().map(words::size);
    let row = |(subject, cells): (usize, &Vec<Option<Cell>>)| {
        let texts = cells.iter().map(|cell| cell.as_ref().and_then(&text).unwrap_or_else(|| "–".into()));
        [summary.name(subject).to_owned()].into_iter().chain(texts).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = mode.rows.iter().enumerate().map(row).collect();
    let has_some = rows.iter().any(|row| row[1..].iter().any(|text| text != "–"));
    let headers = ["Target".to_owned()].into_iter().chain(sizes).collect();
    has_some.then_some(Table { title, note, headers, rows, is_words: false })
}

/// What is known of each target's machine; a column for each thing that is known of one at least.
pub(crate) fn environment(summary: &Summary) -> Option<Table> {
    type Of = fn(&Subject) -> Option<String>;
    const COLUMNS: [(&str, Of); 9] = [
        ("About", |subject| subject.about.clone()),
        ("Card", |subject| {
            let kind = subject.kind.map_or(String::new(), |kind| format!(" ({})", kind.words()));
            Some(format!("{}{kind}", subject.card.as_ref()?))
        }),
        ("Settings", |subject| {
            subject.environment.cards.first().map(settings).filter(|text| !text.is_empty())
        }),
        ("Hypervisor", |subject| subject.environment.hypervisor.clone()),
        ("Processors", |subject| {
            let environment = &subject.environment;
            let count = environment.processors?;
            Some(match &environment.processor {
                Some(model) => format!("{count} × {model}"),
                None => count.to_string(),
            })
        }),
        ("Memory", |subject| {
            subject.environment.memory_bytes.map(|bytes| words::size(bytes & !((1 << 20) - 1)))
        }),
        ("Kernel", |subject| subject.environment.kernel.clone()),
        ("Firmware", |subject| subject.environment.firmware.clone()),
        ("Work without a network", |subject| subject.work.map(|work| words::time(work.median * 1000.0))),
    ];
    let columns: Vec<&(&str, Of)> = COLUMNS
        .iter()
        .filter(|(_, of)| summary.subjects.iter().any(|subject| of(subject).is_some()))
        .collect();
    let row = |subject: &Subject| {
        let texts = columns.iter().map(|(_, of)| of(subject).unwrap_or_else(|| "–".into()));
        [subject.name.clone()].into_iter().chain(texts).collect()
    };
    let headers =
        ["Target"].into_iter().chain(columns.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    (!columns.is_empty()).then(|| Table {
        title: "Where it was measured".into(),
        note: "As the targets say of themselves.".into(),
        headers,
        rows: summary.subjects.iter().map(row).collect(),
        is_words: true,
    })
}

fn settings(card: &Card) -> String {
    let mut said = Vec::new();
    match (card.receive_queues, card.send_queues) {
        (Some(receive), Some(send)) if receive == send => {
            said.push(format!("{receive} queue{}", if receive == 1 { "" } else { "s" }));
        }
        (Some(receive), Some(send)) => said.push(format!("{receive} receive and {send} send queues")),
        (Some(_) | None, _) => {}
    }
    said.extend(card.mtu.map(|mtu| format!("MTU {mtu}")));
    said.extend(card.speed_mbit.map(|speed| words::megabits(speed as f64)));
    if !card.offloads.is_empty() {
        said.push(card.offloads.join(" "));
    }
    said.join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
