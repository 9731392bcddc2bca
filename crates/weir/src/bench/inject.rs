//! `weir bench inject`.

use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let Options {} = options;
    anyhow::bail!("the injector is not there yet")
}
