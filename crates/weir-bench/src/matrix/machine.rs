//! A target, or the origin, while it is there: started if the scenario says how, ready, and stopped at the end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::harness::cores::Cores;
use crate::harness::directory::Directory;
use crate::harness::process::Process;
use crate::inject::Target as Url;

/// Between two looks whether it is ready.
const POLL: Duration = Duration::from_millis(250);

/// How long a command that stops a machine may take, and the machine to end after it.
const STOP_WAIT: Duration = Duration::from_secs(60);

/// Something that runs, or ran before and goes on.
pub(super) struct Machine<'s> {
    name: &'s str,
    process: Option<Process>,
    stop: &'s [String],
    directory: &'s Path,
    // Holds the standard error of what was started.
    _notes: Directory,
}

impl<'s> Machine<'s> {
    /// Starts it, if there is a command for that. Relative paths are below `directory`.
    ///
    /// # Errors
    /// When the command can't be run.
    pub(super) fn start(
        name: &'s str,
        start: &[String],
        stop: &'s [String],
        directory: &'s Path,
    ) -> anyhow::Result<Self> {
        let notes = Directory::new(false).context("no directory for notes")?;
        let process = match command(start, directory) {
            None => None,
            Some(command) => {
                let stderr = notes.path().join("stderr");
                let started = Process::start(command, &Cores::all()?, &stderr);
                Some(started.with_context(|| format!("can't run `{}`", start.join(" ")))?)
            }
        };
        Ok(Self { name, process, stop, directory, _notes: notes })
    }

    /// The process group of what was started.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Waits until `url` is answered with 200.
    ///
    /// # Errors
    /// When that takes longer than `within`, or what was started has ended.
    pub(super) fn wait(
        &mut self,
        url: &Url,
        within: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let why = match super::probe::probe(url) {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if let Some(process) = &mut self.process
                && let Some(status) = process.ended()
                && !status.success()
            {
                bail!("what starts {} has ended: {status}\n{}", self.name, process.complaints());
            }
            if is_cancelled() {
                bail!("broken off");
            }
            if Instant::now() >= deadline {
                let complaints = self.process.as_ref().map_or(String::new(), Process::complaints);
                bail!("{} was not ready after {} s: {url}: {why}\n{complaints}", self.name, within.as_secs());
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Machine<'_> {
    /// Stops it in its own way if there is one; what is left then ends with its guard.
    fn drop(&mut self) {
        let Some(mut command) = command(self.stop, self.directory) else { return };
        let Ok(mut child) = command.stderr(Stdio::null()).spawn() else { return };
        let deadline = Instant::now() + STOP_WAIT;
        let mut is_stopped = false;
        while Instant::now() < deadline {
            is_stopped = is_stopped || !matches!(child.try_wait(), Ok(None));
            let has_ended = self.process.as_mut().is_none_or(|process| process.ended().is_some());
            if is_stopped && has_ended {
                return;
            }
            std::thread::sleep(POLL);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn command(words: &[String], directory: &Path) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null());
    Some(command)
}
