//! What people at a screen see: every line goes to all consoles that are active (tty0, a serial port, hvc0), and to the
//! kernel's log.
//!
//! A console may block for ever (a serial port that nobody reads), so each has a thread and a bounded queue of its own;
//! a line that finds the queue full is dropped on that console. Nobody who speaks here ever waits.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::threads;

/// Lines that wait for one console.
const LINES_MAX: usize = 256;
/// Consoles that are written to.
const CONSOLES_MAX: usize = 4;
/// Bytes of one line; what is longer is cut.
const LINE_BYTES_MAX: usize = 2048;
/// Where the kernel says which consoles it was given.
const ACTIVE: &str = "/sys/class/tty/console/active";

static CONSOLES: OnceLock<Consoles> = OnceLock::new();

#[derive(Debug)]
struct Consoles {
    screens: Vec<Screen>,
    log: Option<File>,
}

#[derive(Debug)]
struct Screen {
    lines: SyncSender<Arc<str>>,
    /// Lines sent and not yet written.
    waiting: Arc<AtomicUsize>,
}

/// Opens the active consoles and the kernel's log; `/dev` and `/sys` are mounted.
pub(crate) fn open() {
    let active = std::fs::read_to_string(ACTIVE).unwrap_or_default();
    let screens = names(&active).into_iter().map(Screen::start).collect();
    let log = OpenOptions::new().write(true).open("/dev/kmsg").ok();
    let _ = CONSOLES.set(Consoles { screens, log });
}

/// A line, or several, on every console and in the kernel's log. Before [`open`], on standard error.
pub(crate) fn say(text: &str) {
    let Some(consoles) = CONSOLES.get() else {
        let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
        return;
    };
    for line in text.trim_end().lines() {
        let line = clean(line);
        consoles.note(&line);
        for screen in &consoles.screens {
            screen.show(&line);
        }
    }
}

/// A line in the kernel's log alone: what is worth a look afterwards, and no one's attention now.
pub(crate) fn note(text: &str) {
    if let Some(consoles) = CONSOLES.get() {
        text.trim_end().lines().for_each(|line| consoles.note(&clean(line)));
    }
}

/// Waits until everything is written, `patience` at most.
pub(crate) fn flush(patience: Duration) {
    let Some(consoles) = CONSOLES.get() else { return };
    let deadline = Instant::now() + patience;
    let behind = || consoles.screens.iter().any(|screen| screen.waiting.load(Ordering::Acquire) > 0);
    while behind() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Consoles {
    /// Priority 6, which the kernel does not print on the consoles itself, as they have the line already.
    fn note(&self, line: &str) {
        if let Some(mut log) = self.log.as_ref() {
            let _ = log.write_all(format!("<6>weir: {line}\n").as_bytes());
        }
    }
}

impl Screen {
    fn start(name: &str) -> Self {
        let (lines, queue) = sync_channel(LINES_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (path, count) = (format!("/dev/{name}"), Arc::clone(&waiting));
        threads::start("console", move || write_all(&path, &queue, &count));
        Self { lines, waiting }
    }

    fn show(&self, line: &Arc<str>) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        if self.lines.try_send(Arc::clone(line)).is_err() {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The thread of one console. It ends where the console can't be written to, and its lines are dropped from then on.
fn write_all(path: &str, lines: &Receiver<Arc<str>>, waiting: &AtomicUsize) {
    // A terminal that is opened by a leader of a session would become its controlling one.
    let flags = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    let terminal = OpenOptions::new().write(true).custom_flags(flags).open(path);
    while let Ok(line) = lines.recv() {
        let written =
            terminal.as_ref().map(|mut terminal| terminal.write_all(format!("{line}\r\n").as_bytes()));
        waiting.fetch_sub(1, Ordering::AcqRel);
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

/// The consoles' names, without twins.
fn names(active: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in active.split_whitespace() {
        if !names.contains(&name) && names.len() < CONSOLES_MAX {
            names.push(name);
        }
    }
    names
}

/// Text from outside (an agent, a configuration) must not steer the terminal.
fn clean(line: &str) -> Arc<str> {
    let end = line.floor_char_boundary(LINE_BYTES_MAX);
    line[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_active_console_once() {
        assert_eq!(names("tty0 ttyS0 tty0\n"), ["tty0", "ttyS0"]);
        assert!(names("").is_empty());
    }

    #[test]
    fn a_line_can_not_steer_the_terminal() {
        assert_eq!(&*clean("a\u{1b}[2Jb"), "a [2Jb");
        assert_eq!(clean(&"ä".repeat(LINE_BYTES_MAX)).len(), LINE_BYTES_MAX);
    }

    #[test]
    fn a_console_that_is_not_there_holds_nobody_up() {
        let screen = Screen::start("no-such-console");
        for _ in 0..LINES_MAX * 3 {
            screen.show(&"line".into());
        }
    }
}
