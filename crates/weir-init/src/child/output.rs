//! What the child writes: access records to a file, diagnostics to a file and the consoles. The files begin anew when they
//! are full, with one before them kept; where the disk takes nothing, lines are dropped. The child never waits for them.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::{console, threads};

/// Bytes of a log before it begins anew: two of each kind fit a STATE of a few MiB.
const LOG_BYTES_MAX: u64 = 4 << 20;
/// Bytes read from the child at once.
const PIECE_BYTES: usize = 32 << 10;
/// Bytes of a line of diagnostics; what is longer is shown in pieces.
const LINE_BYTES_MAX: u64 = 4096;

/// Writes access records to `path`.
pub(super) fn access(mut from: impl Read + Send + 'static, path: PathBuf) {
    threads::start("access-log", move || {
        let mut log = Log::new(path, LOG_BYTES_MAX);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => log.write(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
}

/// Writes diagnostics to `path` and the consoles.
pub(super) fn diagnostics(from: impl Read + Send + 'static, path: PathBuf) {
    threads::start("log", move || {
        let mut log = Log::new(path, LOG_BYTES_MAX);
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            log.write(&line);
            console::say(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

/// A file with a most.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    bytes_max: u64,
}

impl Log {
    fn new(path: PathBuf, bytes_max: u64) -> Self {
        Self { path, file: None, bytes: 0, bytes_max }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.bytes + bytes.len() as u64 > self.bytes_max {
            let _ = std::fs::rename(&self.path, before(&self.path));
            self.file = None;
        }
        if self.file.is_none() {
            self.open();
        }
        let written = self.file.as_mut().map(|file| file.write_all(bytes));
        match written {
            Some(Ok(())) => self.bytes += bytes.len() as u64,
            // Full, perhaps: the next line tries again.
            Some(Err(_)) => self.file = None,
            None => {}
        }
    }

    /// The folder is the child's, so no link is followed.
    fn open(&mut self) {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened =
            OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags).open(&self.path);
        self.file = opened.ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()));
        self.bytes =
            self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len());
    }
}

/// `access.log` is `access.log.1` when it is full.
fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;

    #[test]
    fn a_log_never_takes_more_than_twice_its_most() {
        let folder = Folder::new();
        let path = folder.path().join("access.log");
        let mut log = Log::new(path.clone(), 100);
        for n in 0..100 {
            log.write(format!("line {n:04}\n").as_bytes());
        }
        let lengths = [&path, &before(&path)].map(|path| std::fs::metadata(path).unwrap().len());
        assert!(lengths.iter().all(|&length| length <= 100), "{lengths:?}");
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("line 0099\n"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_goes_on_where_it_was_and_follows_no_link() {
        let folder = Folder::new();
        let (path, other) = (folder.path().join("weir.log"), folder.path().join("other"));
        Log::new(path.clone(), 100).write(b"one\n");
        Log::new(path.clone(), 100).write(b"two\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        std::fs::write(&other, "").unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        Log::new(path, 100).write(b"three\n");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "");
    }
}
