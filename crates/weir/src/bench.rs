//! `weir bench …`: the built-in benchmark. Arguments in, lines and JSON out; the work is in the crate `weir-bench`.

use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// An origin server that answers from memory, faster than any proxy before it
    Origin(origin::Options),
    /// Put load on a server, and say what came of it
    Inject(Box<inject::Options>),
    /// Measure several servers in turn, such as one load balancer on several hypervisors
    Matrix(matrix::Options),
    /// Show what `matrix` measured: a page with charts, pictures, tables, and what they say in words
    Report(report::Options),
}

mod inject;
mod live;
mod matrix;
mod origin;
mod report;
mod summary;

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    match &options.command {
        Command::Origin(options) => origin::main(options),
        Command::Inject(options) => inject::main(options),
        Command::Matrix(options) => matrix::main(options),
        Command::Report(options) => report::main(options),
    }
}
