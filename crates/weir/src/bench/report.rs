//! `weir bench report`: a page, pictures and tables of what was measured.

use std::path::PathBuf;
use std::process::ExitCode;

use weir_bench::{report, results};

use crate::logging::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Files that `weir bench matrix` wrote; several are compared, each with the one before it
    #[arg(value_name = "RESULTS", required = true)]
    results: Vec<PathBuf>,
    /// The directory that the report is written to; `report.html` is its page
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
}

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| results::file::read(path);
    let runs = options.results.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    report::write(&options.out, &report::report(&runs)?)?;
    for finding in report::in_words(&runs) {
        say(&format!("- {finding}"));
    }
    say(&format!("\nThe report is {}", options.out.join("report.html").display()));
    Ok(ExitCode::SUCCESS)
}
