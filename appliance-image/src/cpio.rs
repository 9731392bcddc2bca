//! Writes a cpio archive in the `newc` format that the kernel unpacks
//! (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Invariant: the same entries in any order give the same bytes. Entries are sorted by path, belong to root, carry
//! time 0, and are numbered from 1. It reads no files: what goes in is given as bytes.

use std::collections::BTreeMap;

/// What stands at a path.
pub(crate) enum Entry {
    /// A folder, with its permissions.
    Folder(u32),
    /// A file, with its permissions and content.
    File(u32, Vec<u8>),
    /// A symbolic link.
    Link(String),
    /// A character device: permissions, major and minor.
    Device(u32, u32, u32),
}

/// Everything that goes in, by path, without a leading `/`.
#[derive(Default)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Adds an entry and the folders above it, which everybody may enter. The kernel makes no folder by itself.
    pub(crate) fn add(&mut self, path: &str, entry: Entry) {
        let path = path.trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            self.entries.entry(path[..end].to_owned()).or_insert(Entry::Folder(0o755));
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// The archive's bytes, with its trailer, filled up to 512.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, (path, entry)) in self.entries.iter().enumerate() {
            let inode = index as u32 + 1;
            let (mode, links, device, content): (u32, u32, (u32, u32), &[u8]) = match entry {
                Entry::Folder(mode) => (0o040_000 | mode, 2, (0, 0), &[]),
                Entry::File(mode, content) => (0o100_000 | mode, 1, (0, 0), content),
                Entry::Link(target) => (0o120_777, 1, (0, 0), target.as_bytes()),
                Entry::Device(mode, major, minor) => (0o020_000 | mode, 1, (*major, *minor), &[]),
            };
            record(&mut bytes, inode, mode, links, device, path, content);
        }
        record(&mut bytes, 0, 0, 1, (0, 0), "TRAILER!!!", &[]);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }
}

fn record(
    bytes: &mut Vec<u8>,
    inode: u32,
    mode: u32,
    links: u32,
    device: (u32, u32),
    path: &str,
    content: &[u8],
) {
    let name_size = path.len() as u32 + 1;
    let file_size = u32::try_from(content.len()).expect("nothing in an initramfs is 4 GiB");
    bytes.extend_from_slice(b"070701");
    let (time, checksum) = (0, 0);
    let fields = [inode, mode, 0, 0, links, time, file_size, 0, 0, device.0, device.1, name_size, checksum];
    for field in fields {
        bytes.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    bytes.extend_from_slice(path.as_bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_the_format_says() {
        let mut archive = Archive::default();
        archive.add("dev/console", Entry::Device(0o600, 5, 1));
        let bytes = archive.to_bytes();
        let text = String::from_utf8(bytes).expect("no content that is not text");
        assert!(text.starts_with(
            "070701000000010000\
             41ED0000000000000000000000020000000000000000000000000000000000000000000000000000000400000000dev\0"
        ));
        let console = text.find("dev/console").expect("its name");
        // Inode, then mode 020600, …, and the device 5:1, the name's length with its zero, no checksum.
        assert_eq!(&text[console - 104..console - 88], "0000000200002180");
        assert_eq!(&text[console - 32..console], "00000005000000010000000C00000000");
        assert!(text.trim_end_matches('\0').ends_with("TRAILER!!!"));
        assert_eq!(text.len() % 512, 0);
    }

    #[test]
    fn the_order_of_adding_does_not_matter() {
        let entries = || {
            [
                ("etc/passwd", Entry::File(0o644, b"root".to_vec())),
                ("init", Entry::Link("/weir".into())),
                ("tmp", Entry::Folder(0o1777)),
            ]
        };
        let (mut one, mut other) = (Archive::default(), Archive::default());
        entries().into_iter().for_each(|(path, entry)| one.add(path, entry));
        entries().into_iter().rev().for_each(|(path, entry)| other.add(path, entry));
        assert_eq!(one.to_bytes(), other.to_bytes());
    }

    #[test]
    fn content_is_aligned_to_four_bytes() {
        let mut archive = Archive::default();
        archive.add("a", Entry::File(0o644, b"12345".to_vec()));
        let bytes = archive.to_bytes();
        // 110 bytes of header, the name `a` and its zero, content at 112, the next header at 120.
        assert_eq!(&bytes[112..117], b"12345");
        assert_eq!(&bytes[120..126], b"070701");
    }
}
