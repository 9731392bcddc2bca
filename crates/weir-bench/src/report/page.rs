//! The report as one page of HTML that needs nothing else: charts, tables and style are in it, and no script.

use super::Run;
use super::chart::svg;
use super::findings::{Finding, Kind};
use super::tables::Table;
use super::words::{day, escape, list, size};

const STYLE: &str = include_str!("page.css");

/// Writes the page of some runs; `trends` is what changed from one to the next.
pub(crate) fn page(runs: &[Run], trends: &[Finding]) -> String {
    let title = match runs {
        [one] => one.summary.title.clone(),
        several => format!("{} runs compared", several.len()),
    };
    let mut body = String::new();
    if runs.len() > 1 {
        body += &format!("<header><h1>{}</h1></header>\n", escape(&title));
        body += &findings("What changed", trends);
    }
    for (index, run) in runs.iter().enumerate() {
        body += &one(index, run, runs.len() > 1);
    }
    let variables = svg::variables(":root");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>\n{variables}\n{}\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\
         <footer>Made by <code>weir bench report</code>. Figures without a target's name beside them are medians over \
         the rounds; every single one is in the CSV.</footer>\n</main>\n</body>\n</html>\n",
        escape(&title),
        svg::style(),
    )
}

fn one(index: usize, run: &Run, is_one_of_several: bool) -> String {
    let summary = &run.summary;
    let tag = if is_one_of_several { "h2" } else { "h1" };
    let sizes: Vec<String> = summary.sizes.iter().copied().map(size).collect();
    let modes: Vec<&str> = summary.modes.iter().map(|mode| mode.mode.words()).collect();
    let targets = summary.subjects.len();
    let mut out = format!(
        "<section class=\"run\" id=\"run{index}\">\n<header><{tag}>{}</{tag}>\n<p class=\"facts\">{} · {targets} target{} · \
         objects of {} · {} · {} round{} · measured from {}</p></header>\n",
        escape(&summary.title),
        day(summary.started_unix_ms),
        if targets == 1 { "" } else { "s" },
        escape(&list(&sizes)),
        escape(&list(&modes)),
        summary.rounds,
        if summary.rounds == 1 { "" } else { "s" },
        escape(&run.injector),
    );
    let (caveats, others): (Vec<Finding>, Vec<Finding>) =
        run.findings.iter().cloned().partition(|finding| finding.kind == Kind::Caveat);
    out += &findings("What it says", &others);
    for chart in &run.charts {
        let drawing = svg::svg(&chart.drawing, svg::Place::Page);
        out += &format!("<figure>\n{drawing}</figure>\n");
    }
    out += &findings("What to keep in mind", &caveats);
    for shown in run.tables.iter().chain(&run.environment) {
        out += &table(shown);
    }
    out += "</section>\n";
    out
}

fn findings(title: &str, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let item =
        |finding: &Finding| format!("<li class=\"{}\">{}</li>\n", finding.kind.word(), escape(&finding.text));
    let items: String = findings.iter().map(item).collect();
    format!("<section class=\"findings\">\n<h3>{title}</h3>\n<ul>\n{items}</ul>\n</section>\n")
}

fn table(table: &Table) -> String {
    let cells = |tag: &str, row: &[String]| {
        let cell = |(index, text): (usize, &String)| match index {
            0 => format!("<th scope=\"row\">{}</th>", escape(text)),
            _ => format!("<{tag}>{}</{tag}>", small(&escape(text))),
        };
        format!("<tr>{}</tr>\n", row.iter().enumerate().map(cell).collect::<String>())
    };
    let rows: String = table.rows.iter().map(|row| cells("td", row)).collect();
    let kind = if table.is_words { "words" } else { "figures" };
    format!(
        "<section class=\"table\">\n<h3>{}</h3>\n<p class=\"note\">{}</p>\n<div class=\"scroll\"><table class=\"{kind}\">\n\
         <thead>{}</thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n",
        escape(&table.title),
        escape(&table.note),
        cells("th scope=\"col\"", &table.headers)
            .replace("</th scope=\"col\">", "</th>")
            .replace("scope=\"row\"", "scope=\"col\""),
    )
}

/// How far rounds lie apart is shown smaller than what they lie around.
fn small(cell: &str) -> String {
    match cell.split_once(" ±") {
        Some((figure, rest)) => match rest.split_once(" %") {
            Some((spread, marks)) => format!("{figure} <small>±{spread} %</small>{marks}"),
            None => cell.into(),
        },
        None => cell.into(),
    }
}
