//! What file system is on a disk, and its label, from its first bytes: ISO 9660 and FAT, the two on which first-boot data
//! comes. Pure.

/// A file system on which first-boot data comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileSystem {
    Iso9660,
    Vfat,
}

impl FileSystem {
    /// As mount(2) calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Iso9660 => "iso9660",
            Self::Vfat => "vfat",
        }
    }

    /// The modules that it needs, by alias or name. The tables of character sets are no dependencies that the modules
    /// tell: the kernel asks for the two that it was built to use when it mounts.
    pub(super) fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Iso9660 => &["fs-iso9660"],
            Self::Vfat => &["nls_cp437", "nls_ascii", "fs-vfat"],
        }
    }
}

/// Where ISO 9660's primary volume descriptor is, and its identifier and the volume's within it (ECMA-119, 8.4).
const ISO_DESCRIPTOR_AT: usize = 0x8000;
const ISO_IDENTIFIER: &[u8] = b"\x01CD001\x01";
const ISO_LABEL_AT: usize = ISO_DESCRIPTOR_AT + 40;
const ISO_LABEL_BYTES: usize = 32;

/// Where FAT's boot sector has its mark, and for both kinds (12 and 16; 32) the extended boot signature and the label
/// behind it.
const FAT_MARK_AT: usize = 0x1fe;
const FAT_MARK: &[u8] = &[0x55, 0xaa];
const FAT_SIGNATURE: u8 = 0x29;
const FAT_PLACES: &[(usize, usize, &[u8])] = &[(0x26, 0x2b, b"FAT1"), (0x42, 0x47, b"FAT32")];
const FAT_LABEL_BYTES: usize = 11;

/// The bytes of a disk's beginning that [`read`] looks at.
pub(super) const BYTES: usize = ISO_DESCRIPTOR_AT + 0x200;

/// The file system that begins with `start`, and its label.
pub(super) fn read(start: &[u8]) -> Option<(FileSystem, String)> {
    // A disk that is both (a hybrid) is an ISO: its FAT is what firmware boots from.
    iso(start).map(|label| (FileSystem::Iso9660, label)).or_else(|| Some((FileSystem::Vfat, fat(start)?)))
}

fn iso(start: &[u8]) -> Option<String> {
    let descriptor = start.get(ISO_DESCRIPTOR_AT..)?;
    if !descriptor.starts_with(ISO_IDENTIFIER) {
        return None;
    }
    text(start, ISO_LABEL_AT, ISO_LABEL_BYTES)
}

fn fat(start: &[u8]) -> Option<String> {
    if start.get(FAT_MARK_AT..FAT_MARK_AT + 2)? != FAT_MARK {
        return None;
    }
    let (_, label_at, _) = FAT_PLACES.iter().find(|(signature_at, label_at, kind)| {
        let kind_at = label_at + FAT_LABEL_BYTES;
        start.get(*signature_at) == Some(&FAT_SIGNATURE)
            && start.get(kind_at..).is_some_and(|rest| rest.starts_with(kind))
    })?;
    text(start, *label_at, FAT_LABEL_BYTES)
}

fn text(start: &[u8], at: usize, bytes: usize) -> Option<String> {
    let label = start.get(at..at + bytes)?;
    Some(String::from_utf8_lossy(label).trim_end_matches([' ', '\0']).to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn iso_start(label: &str) -> Vec<u8> {
        let mut start = vec![0; BYTES];
        start[ISO_DESCRIPTOR_AT..][..7].copy_from_slice(ISO_IDENTIFIER);
        start[ISO_LABEL_AT..][..ISO_LABEL_BYTES].fill(b' ');
        start[ISO_LABEL_AT..][..label.len()].copy_from_slice(label.as_bytes());
        start
    }

    fn fat_start(place: usize, kind: &[u8], label: &[u8; 11]) -> Vec<u8> {
        let (signature_at, label_at, _) = FAT_PLACES[place];
        let mut start = vec![0; 512];
        start[signature_at] = FAT_SIGNATURE;
        start[label_at..][..11].copy_from_slice(label);
        start[label_at + 11..][..kind.len()].copy_from_slice(kind);
        start[FAT_MARK_AT..][..2].copy_from_slice(FAT_MARK);
        start
    }

    #[test]
    fn labels_are_where_the_file_systems_have_them() {
        assert_eq!(read(&iso_start("cidata")), Some((FileSystem::Iso9660, "cidata".to_owned())));
        let fat16 = fat_start(0, b"FAT16   ", b"CIDATA     ");
        assert_eq!(read(&fat16), Some((FileSystem::Vfat, "CIDATA".to_owned())));
        let fat32 = fat_start(1, b"FAT32   ", b"config-2   ");
        assert_eq!(read(&fat32), Some((FileSystem::Vfat, "config-2".to_owned())));
        assert_eq!(read(&[0; BYTES]), None);
    }

    proptest! {
        #[test]
        fn no_disk_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes);
        }
    }
}
