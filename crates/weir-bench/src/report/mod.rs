//! `weir bench report`: results in, one page of HTML out, with the same in SVG, PNG, CSV and Markdown.
//!
//! Everything but [`write`] is pure: the same results are the same bytes, so that a report in a repository changes only
//! when something was measured.

mod cards;
pub mod chart;
mod charts;
mod csv;
mod findings;
mod markdown;
mod page;
mod summary;
mod tables;
pub(crate) mod words;

#[cfg(test)]
pub(crate) use findings::tests::measurement as test_measurement;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::results::{Environment, Results};

use chart::{Chart, Drawing, PngError};
use findings::Finding;
use summary::Summary;
use tables::Table;

/// A file of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A chart can't be painted.
    #[error(transparent)]
    Png(#[from] PngError),
    /// The system did not take a file.
    #[error("can't write {}: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// One run, ready to be shown.
#[derive(Debug)]
pub(crate) struct Run {
    summary: Summary,
    findings: Vec<Finding>,
    charts: Vec<DrawnChart>,
    tables: Vec<Table>,
    environment: Option<Table>,
    injector: String,
}

#[derive(Debug)]
pub(crate) struct DrawnChart {
    chart: Chart,
    drawing: Drawing,
    file: String,
}

/// Everything that is said about some runs, in their order: from the first to the last what changed.
///
/// # Errors
/// When a chart can't be painted.
pub fn report(runs: &[Results]) -> Result<Vec<ReportFile>, ReportError> {
    let ready: Vec<Run> =
        runs.iter().enumerate().map(|(index, run)| prepare(index, run, runs.len())).collect();
    let summaries: Vec<Summary> = ready.iter().map(|run| run.summary.clone()).collect();
    let trends = findings::trends(&summaries);
    let text = |name: &str, text: String| ReportFile { name: name.into(), bytes: text.into_bytes() };
    let mut files = vec![
        text("report.html", page::page(&ready, &trends)),
        text("report.md", markdown::markdown(&ready, &trends)),
        text("measurements.csv", csv::csv(runs)),
    ];
    for chart in ready.iter().flat_map(|run| &run.charts) {
        files.push(text(
            &format!("{}.svg", chart.file),
            chart::svg::svg(&chart.drawing, chart::svg::Place::File),
        ));
        files.push(ReportFile { name: format!("{}.png", chart.file), bytes: chart::png(&chart.drawing)? });
    }
    Ok(files)
}

/// What a terminal is told of some runs.
pub fn in_words(runs: &[Results]) -> Vec<String> {
    let summaries: Vec<Summary> = runs.iter().map(summary::summarize).collect();
    let own = summaries.iter().flat_map(findings::findings);
    findings::trends(&summaries).into_iter().chain(own).map(|finding| finding.text).collect()
}

/// Writes files into a directory, which is made if it isn't there.
///
/// # Errors
/// As the system has them.
pub fn write(directory: &Path, files: &[ReportFile]) -> Result<(), ReportError> {
    let wrong = |path: &Path, error| ReportError::Write { path: path.into(), error };
    fs::create_dir_all(directory).map_err(|error| wrong(directory, error))?;
    for ReportFile { name, bytes } in files {
        let path = directory.join(name);
        fs::write(&path, bytes).map_err(|error| wrong(&path, error))?;
    }
    Ok(())
}

fn prepare(index: usize, results: &Results, runs: usize) -> Run {
    let summary = summary::summarize(results);
    let file = |chart: &Chart| {
        if runs > 1 { format!("run{}-{}", index + 1, chart.name) } else { chart.name.clone() }
    };
    let draw = |chart: Chart| DrawnChart { drawing: chart::layout(&chart), file: file(&chart), chart };
    Run {
        findings: findings::findings(&summary),
        charts: charts::charts(&summary).into_iter().map(draw).collect(),
        tables: tables::tables(&summary),
        environment: tables::environment(&summary),
        injector: machine(&results.injector),
        summary,
    }
}

/// The machine that made the load, in a few words.
fn machine(environment: &Environment) -> String {
    let processors = environment.processors.map_or(String::new(), |count| format!("{count} × "));
    match &environment.processor {
        Some(model) => format!("{processors}{model}"),
        None => "an unknown machine".into(),
    }
}
