//! A child process that ends with its guard, together with whatever it started itself.
//!
//! Each leads a process group of its own. So a Ctrl-C at the terminal reaches only the benchmark, which then drops
//! its guards; and nginx's workers or Caddy's threads are found by their group.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use super::cores::Cores;

/// How long a process may take to end after SIGTERM.
const END_WAIT: Duration = Duration::from_secs(3);

/// The pause between two looks at a process that is ending.
const END_POLL: Duration = Duration::from_millis(5);

/// How many lines of its standard error are worth showing.
const COMPLAINT_LINES: usize = 20;

/// A running child and its descendants.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command` on `cores`, its standard error in the file `stderr`.
    ///
    /// # Errors
    /// As the system has them.
    pub(crate) fn start(mut command: Command, cores: &Cores, stderr: &Path) -> io::Result<Self> {
        command.stderr(File::create(stderr)?).process_group(0);
        let child = cores.run(|| command.spawn())?;
        Ok(Self { child, stderr: stderr.into() })
    }

    /// Its process id, which is its group's too.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Asks it, and none of its descendants, to end.
    pub(crate) fn terminate(&self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The last lines of its standard error.
    pub(crate) fn complaints(&self) -> String {
        let text = fs::read(&self.stderr).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(COMPLAINT_LINES);
        lines[from..].iter().map(|line| format!("    {line}\n")).collect()
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Process {
    /// Ends the leader, then whatever is left of its group, and only then collects the leader: until that, nobody
    /// else can have got its number.
    fn drop(&mut self) {
        let Some(pid) = self.pid() else { return };
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + END_WAIT;
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), look), Ok(None)) && Instant::now() < deadline {
            thread::sleep(END_POLL);
        }
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Stdin, stdout and stderr all closed: for questions such as `--version`.
pub(crate) fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::directory::Directory;
    use crate::peers::usage;

    #[test]
    fn the_guard_ends_a_process_that_ignores_signals_and_its_children() {
        let directory = Directory::new(false).unwrap();
        let mut command = quiet(Path::new("/bin/sh"));
        command.arg("-c").arg("trap '' TERM; sleep 60 & echo started >&2; while :; do sleep 60; done");
        let here: Cores = "0".parse().unwrap();
        let process = Process::start(command, &here, &directory.path().join("stderr")).unwrap();
        let id = process.id();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !process.complaints().contains("started") {
            assert!(Instant::now() < deadline, "not started");
            thread::sleep(END_POLL);
        }
        drop(process);
        // What the leader left behind is collected by the system's first process, in its own time.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !usage::members(id).is_empty() {
            assert!(Instant::now() < deadline, "still there: {:?}", usage::members(id));
            thread::sleep(END_POLL);
        }
    }
}
