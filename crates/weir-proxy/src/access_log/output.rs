//! Where lines end up: a file, standard output, or nowhere.
//!
//! Written without a buffer of its own. Invariant: after a failure in the middle of a line, the next write
//! begins a new line, so one full disk spoils one line and not the ones after it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use weir_config::model::AccessLogTarget;

/// Between two tries at an output that has no room and does not block.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// An opened target of the access log.
#[derive(Debug)]
pub struct Output {
    /// `None` is nowhere.
    file: Option<File>,
    /// The last byte written was not a newline.
    torn: bool,
}

/// A write that failed.
#[derive(Debug)]
pub(super) struct Unwritten {
    pub(super) error: io::Error,
    /// Lines that are not, or not wholly, written.
    pub(super) lines: u64,
}

impl Output {
    /// Opens `target`: a file is created if it is missing, and appended to. Opening the same path again is
    /// how a rotated file is left.
    ///
    /// # Errors
    /// As the system has them; a named pipe that nobody reads is one (`ENXIO`), so this never waits.
    pub fn open(target: &AccessLogTarget) -> io::Result<Self> {
        let file = match target {
            AccessLogTarget::Off => None,
            // A copy of the descriptor: std's handle is a line buffer behind a lock.
            AccessLogTarget::Stdout => Some(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            AccessLogTarget::File(path) => {
                let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
                Some(
                    OpenOptions::new()
                        .append(true)
                        .create(true)
                        .mode(0o640)
                        .custom_flags(flags)
                        .open(path)?,
                )
            }
        };
        Ok(Self { file, torn: false })
    }

    /// Whether lines go nowhere.
    pub(super) fn is_off(&self) -> bool {
        self.file.is_none()
    }

    /// Writes whole lines. Waits for room as long as `give_up` is false.
    pub(super) fn write(&mut self, lines: &[u8], give_up: impl Fn() -> bool) -> Result<(), Unwritten> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut rest = lines;
        while !rest.is_empty() {
            let mends_line = self.torn && rest.len() == lines.len();
            match file.write(if mends_line { b"\n" } else { rest }) {
                Ok(0) => return Err(Unwritten::new(io::ErrorKind::WriteZero.into(), rest)),
                Ok(_) if mends_line => self.torn = false,
                Ok(count) => {
                    self.torn = rest[count - 1] != b'\n';
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !give_up() => {
                    thread::sleep(FULL_PAUSE);
                }
                Err(error) => return Err(Unwritten::new(error, rest)),
            }
        }
        Ok(())
    }
}

impl Unwritten {
    fn new(error: io::Error, rest: &[u8]) -> Self {
        Self { error, lines: memchr::memchr_iter(b'\n', rest).count() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Read};
    use std::os::fd::OwnedFd;

    use super::*;

    impl Output {
        /// Lines go into a pipe.
        pub(in crate::access_log) fn pipe(writer: PipeWriter) -> Self {
            Self { file: Some(File::from(OwnedFd::from(writer))), torn: false }
        }
    }

    #[test]
    fn after_a_torn_line_the_next_write_begins_a_new_one() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut output = Output::pipe(writer);

        let lines = "a line that fills the pipe\n".repeat(10_000);
        let unwritten = output.write(lines.as_bytes(), || true).unwrap_err();
        assert_eq!(unwritten.error.kind(), io::ErrorKind::WouldBlock);
        assert!(output.torn, "a pipe of 64 KiB ends inside a line of 27 bytes");
        let mut first = vec![0; lines.len()];
        let read = reader.read(&mut first).unwrap();
        assert_eq!(unwritten.lines as usize, 10_000 - read / 27);

        output.write(b"next\nlast\n", || true).unwrap();
        drop(output);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "\nnext\nlast\n");
    }
}
