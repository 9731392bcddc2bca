//! `weir schema`: the configuration file described for editors, or for people.

use std::process::ExitCode;

use crate::logging::print;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print the reference page (Markdown) in place of the JSON Schema
    #[arg(long)]
    reference: bool,
}

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    if options.reference {
        print(&weir_config::reference_markdown());
    } else {
        print(&format!("{}\n", serde_json::to_string_pretty(&weir_config::json_schema())?));
    }
    Ok(ExitCode::SUCCESS)
}
