//! Puts the disk together: the partition table, the code for BIOS, and each partition's content at its place. Reads it
//! again in pieces, for the formats.
//!
//! Invariant: what is zero stays a hole in the file, here and in the formats that know holes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::grub::BiosCode;
use crate::layout::{BIOS, DISK_SIZE, DISK_UUID, PARTITIONS, Partition, SECTOR};
use crate::tools::Tools;

/// Makes the disk at `path` out of images of partitions.
pub(crate) fn assemble(
    tools: &Tools,
    path: &Path,
    code: &BiosCode,
    images: &[(&Partition, &Path)],
) -> anyhow::Result<()> {
    let disk = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)
        .and_then(|disk| disk.set_len(DISK_SIZE).map(|()| disk))
        .with_context(|| format!("can't make {}", path.display()))?;
    let arguments =
        ["--quiet".as_ref(), "--no-reread".as_ref(), "--no-tell-kernel".as_ref(), path.as_os_str()];
    tools.run_with_input("usr/sbin/sfdisk", &arguments, partition_table().as_bytes())?;
    let write =
        |bytes: &[u8], offset| disk.write_all_at(bytes, offset).context("can't write to the disk's image");
    write(&code.boot, 0)?;
    write(&code.core, BIOS.offset())?;
    for (partition, image) in images {
        let pieces = Pieces::open(image, 1 << 16)?;
        ensure!(pieces.size() == partition.bytes(), "{} is not as large as its partition", image.display());
        for piece in pieces {
            let piece = piece.with_context(|| format!("can't read {}", image.display()))?;
            if let Some(content) = piece.content {
                write(&content, partition.offset() + piece.offset)?;
            }
        }
    }
    Ok(())
}

/// As sfdisk reads it.
fn partition_table() -> String {
    let mut table = format!("label: gpt\nlabel-id: {DISK_UUID}\nfirst-lba: 2048\n");
    for partition in PARTITIONS {
        let (start, size) = (partition.offset() / SECTOR, partition.bytes() / SECTOR);
        let Partition { name, kind, uuid, .. } = partition;
        table.push_str(&format!("start={start}, size={size}, type={kind}, uuid={uuid}, name=\"{name}\"\n"));
    }
    table
}

/// A part of a disk.
pub(crate) struct Piece {
    /// In bytes from the disk's start.
    pub(crate) offset: u64,
    /// None where all of it is zero.
    pub(crate) content: Option<Vec<u8>>,
}

/// A disk in pieces of one length, in order. The last one may be shorter.
pub(crate) struct Pieces {
    file: File,
    size: u64,
    length: usize,
    offset: u64,
}

impl Pieces {
    pub(crate) fn open(path: &Path, length: usize) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
        let size = file.metadata().with_context(|| format!("can't read {}", path.display()))?.len();
        Ok(Self { file, size, length, offset: 0 })
    }

    /// Of the whole disk, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

impl Iterator for Pieces {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset == self.size {
            return None;
        }
        let offset = self.offset;
        let length = (self.size - offset).min(self.length as u64);
        self.offset += length;
        let mut content = vec![0; length as usize];
        Some(self.file.read_exact(&mut content).map(|()| {
            let zero = content.iter().all(|byte| *byte == 0);
            Piece { offset, content: (!zero).then_some(content) }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_partition_where_it_lies() {
        let table = partition_table();
        assert!(table.contains("start=4096, size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B"));
        assert!(table.contains("name=\"STATE\""));
    }

    #[test]
    fn reads_a_disk_in_pieces_and_says_which_are_zero() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let path = folder.path().join("disk");
        std::fs::write(&path, b"\0\0\0\0ab\0\0c").expect("room");
        let pieces: Vec<_> =
            Pieces::open(&path, 4).expect("it is there").map(|piece| piece.expect("readable")).collect();
        let contents: Vec<_> = pieces.iter().map(|piece| (piece.offset, piece.content.as_deref())).collect();
        assert_eq!(contents, [(0, None), (4, Some(&b"ab\0\0"[..])), (8, Some(&b"c"[..]))]);
    }
}
