//! An initramfs ("newc" cpio) written by hand: what a test adds to the image's own, since the kernel unpacks
//! archives that follow each other into one tree, and the small systems around it.
//!
//! Everything belongs to root and has no date. Folders that a path needs are made with it, unless the archive
//! below has them already.

use std::collections::BTreeSet;
use std::path::Path;

/// What is packed so far.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    count: u32,
}

impl Archive {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file, by its path without a leading `/`.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.parents(path);
        self.entry(path, 0o100_644, content.as_ref());
        self
    }

    /// A program.
    #[must_use]
    pub fn program(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.parents(path);
        self.entry(path, 0o100_755, content.as_ref());
        self
    }

    /// A program of this machine.
    #[must_use]
    pub fn program_from(self, path: &str, from: &Path) -> Self {
        let content = std::fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        self.program(path, content)
    }

    /// A link.
    #[must_use]
    pub fn link(mut self, path: &str, to: &str) -> Self {
        self.parents(path);
        self.entry(path, 0o120_777, to.as_bytes());
        self
    }

    /// An empty folder.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.parents(&format!("{path}/."));
        self
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, b"");
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            let folder = &path[..at];
            if self.folders.insert(folder.to_owned()) {
                self.entry(folder, 0o040_755, b"");
            }
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.count += 1;
        let size = u32::try_from(content.len()).expect("nothing here is as large as 4 GiB");
        let name = u32::try_from(path.len() + 1).expect("a path is short");
        // ino, mode, uid, gid, nlink, mtime, filesize, dev (2), rdev (2), namesize, check.
        let fields = [self.count, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn entries_are_aligned_and_folders_come_first_and_once() {
        let archive = Archive::new().file("a/b", "12345").link("a/c", "b").finish();
        assert_eq!(archive.len() % 4, 0);
        let text = String::from_utf8_lossy(&archive);
        let names: Vec<_> = text.match_indices("070701").map(|(at, _)| at).collect();
        assert_eq!(names.len(), 4); // a, a/b, a/c, the trailer
        assert!(names.iter().all(|at| at % 4 == 0));
        assert_eq!(&archive[110..112], b"a\0");
    }
}
