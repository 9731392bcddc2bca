//! A machine's serial line: QEMU writes it to a file, and this reads what has come.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::time::Duration;

use crate::until;

/// Bytes that a serial port holds until somebody takes them.
const FIFO: usize = 8;

/// Between so many.
const KEYSTROKES: Duration = Duration::from_millis(20);

/// How many lines a failure shows.
const SHOWN: usize = 60;

/// The serial line of one machine.
#[derive(Debug)]
pub struct Console {
    log: PathBuf,
    input: ChildStdin,
}

impl Console {
    /// What QEMU writes to `log`, and reads from `input`.
    pub(crate) fn new(log: PathBuf, input: ChildStdin) -> Self {
        Self { log, input }
    }

    /// All that was said so far, without terminal sequences.
    pub fn text(&self) -> String {
        plain(&std::fs::read(&self.log).unwrap_or_default())
    }

    /// How much has been said, to look only at what comes later.
    pub fn mark(&self) -> usize {
        self.text().len()
    }

    /// Waits for a line that has this in it; the line.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn line(&self, with: &str) -> String {
        self.line_after(0, with)
    }

    /// The same, in what was said after `mark`.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn line_after(&self, mark: usize, with: &str) -> String {
        until(&format!("a line with {with:?} on the console"), || {
            let text = self.text();
            let later = text.get(mark..)?;
            let line =
                later.split_inclusive('\n').find(|line| line.contains(with) && line.ends_with('\n'))?;
            Some(line.trim_end().to_owned())
        })
    }

    /// Types a line.
    ///
    /// # Panics
    /// When the machine is gone.
    pub fn type_line(&mut self, line: &str) {
        for piece in format!("{line}\n").as_bytes().chunks(FIFO) {
            self.input
                .write_all(piece)
                .and_then(|()| self.input.flush())
                .expect("the machine reads its serial line");
            std::thread::sleep(KEYSTROKES); // nothing says that they were taken, and a hypervisor drops what is too much
        }
    }

    /// The last lines, for whoever has to find out what went wrong.
    pub fn end(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    /// Where it is kept.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// Text without carriage returns and without escape sequences: firmware and GRUB paint.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {}
            '\u{1b}' => {
                // A control sequence ends with a letter; other escapes are one character.
                if characters.next() == Some('[') {
                    let _ = characters.by_ref().find(char::is_ascii_alphabetic);
                }
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_terminal_would_paint_is_left_out() {
        assert_eq!(plain(b"\x1b[2J\x1b[01;01Hslot A\r\nB\x1bc."), "slot A\nB.");
    }
}
