//! The injector as a process of its own, on cores of its own: the same program with the subcommand [`COMMAND`]. It reads
//! a load as JSON from standard input and says what came of it, as JSON too.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::cores::Cores;
use super::process::Process;
use crate::inject::{self, Options};

/// The name of the subcommand.
pub const COMMAND: &str = "inject";

/// Starts this same program as an injector on `cores`, its complaints in `directory`.
///
/// # Errors
/// When it can't be started.
pub(crate) fn start(options: &Options, cores: &Cores, stderr: &std::path::Path) -> anyhow::Result<Process> {
    let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
    command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::start(command, cores, stderr).context("cannot start the injector")?;
    if let Some(mut stdin) = process.child().stdin.take() {
        stdin
            .write_all(serde_json::to_string(options)?.as_bytes())
            .context("the injector reads no options")?;
    }
    Ok(process)
}

/// What the process does.
///
/// # Errors
/// When what it reads is no load, or there is no outcome.
pub fn main() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let options: Options = serde_json::from_str(&text).context("this is no load")?;
    let outcome = inject::run(&options, &mut ())?;
    std::io::stdout().write_all(&serde_json::to_vec(&outcome)?).context("nobody reads what came of it")
}
