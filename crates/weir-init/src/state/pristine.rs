//! An empty file system for STATE, made when the image was built: the few blocks of it that are not zero, in the initramfs.
//!
//! The form: the 8 bytes `WEIRSTA1`; the size of the file system in bytes; then for each block its offset in bytes and its
//! 4096 bytes. Numbers have 8 bytes, the lowest first; blocks ascend. Everywhere else are zeros, which ext4 counts on.
//!
//! The first block, which has the superblock, is written last: after a power cut in between there is no file system at all,
//! and the next start makes it anew.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

/// Where it is.
const BLOCKS: &str = "/usr/share/weir/state.blocks";
const MAGIC: &[u8; 8] = b"WEIRSTA1";
const BLOCK_BYTES: usize = 4096;
/// Zeros written at once, where the disk can't be asked to clear itself.
const ZEROS_BYTES: usize = 256 << 10;

/// The pristine STATE could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PristineError {
    #[error("{BLOCKS}: {0}")]
    Missing(io::Error),
    #[error("{BLOCKS} is not what it ought to be")]
    Damaged,
    #[error("{} has {has} bytes and it needs {needs}", device.display())]
    TooSmall { device: PathBuf, has: u64, needs: u64 },
    #[error("{}: {error}", device.display())]
    Io { device: PathBuf, error: io::Error },
}

/// Writes it over `device`.
pub(super) fn write(device: &Path) -> Result<(), PristineError> {
    unpack(BufReader::new(File::open(BLOCKS).map_err(PristineError::Missing)?), device)
}

fn unpack(mut blocks: impl Read, device: &Path) -> Result<(), PristineError> {
    let failed = |error| PristineError::Io { device: device.to_owned(), error };
    let mut magic = [0; 8];
    blocks.read_exact(&mut magic).map_err(PristineError::Missing)?;
    let needs = number(&mut blocks).map_err(PristineError::Missing)?;
    if magic != *MAGIC {
        return Err(PristineError::Damaged);
    }
    let mut target = OpenOptions::new().write(true).open(device).map_err(failed)?;
    let has = target.seek(SeekFrom::End(0)).map_err(failed)?;
    if needs > has {
        return Err(PristineError::TooSmall { device: device.to_owned(), has, needs });
    }
    clear(&target, needs).map_err(failed)?;
    let mut first = None;
    while let Some((offset, block)) = next(&mut blocks).map_err(PristineError::Missing)? {
        if offset.checked_add(BLOCK_BYTES as u64).is_none_or(|end| end > needs) {
            return Err(PristineError::Damaged);
        }
        if offset == 0 {
            first = Some(block);
        } else {
            target.write_all_at(&block, offset).map_err(failed)?;
        }
    }
    target.sync_all().map_err(failed)?;
    target.write_all_at(&first.ok_or(PristineError::Damaged)?, 0).map_err(failed)?;
    target.sync_all().map_err(failed)
}

/// The disk is asked to clear itself, which most can; else zeros are written.
fn clear(target: &File, bytes: u64) -> io::Result<()> {
    if fallocate(target, FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE, 0, bytes).is_ok() {
        return Ok(());
    }
    let zeros = vec![0; ZEROS_BYTES];
    let mut at = 0;
    while at < bytes {
        let length = zeros.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
        target.write_all_at(&zeros[..length], at)?;
        at += length as u64;
    }
    Ok(())
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The next block; None at the end.
fn next(from: &mut impl Read) -> io::Result<Option<(u64, Vec<u8>)>> {
    let offset = match number(from) {
        Ok(offset) => offset,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut block = vec![0; BLOCK_BYTES];
    from.read_exact(&mut block)?;
    Ok(Some((offset, block)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;

    fn packed(size: usize, blocks: &[(usize, u8)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((size as u64).to_le_bytes());
        for &(offset, fill) in blocks {
            bytes.extend((offset as u64).to_le_bytes());
            bytes.extend([fill; BLOCK_BYTES]);
        }
        bytes
    }

    fn device(folder: &Folder, bytes: usize) -> PathBuf {
        let path = folder.path().join("device");
        std::fs::write(&path, vec![0xAA; bytes]).unwrap();
        path
    }

    #[test]
    fn zeros_replace_what_was_there_and_only_that() {
        let folder = Folder::new();
        let device = device(&folder, BLOCK_BYTES * 6);
        unpack(&*packed(BLOCK_BYTES * 4, &[(0, 1), (BLOCK_BYTES * 2, 2)]), &device).unwrap();
        let written = std::fs::read(&device).unwrap();
        let firsts: Vec<u8> = written.chunks(BLOCK_BYTES).map(|block| block[5]).collect();
        assert_eq!(firsts, [1, 0, 2, 0, 0xAA, 0xAA]);
    }

    #[test]
    fn what_does_not_fit_or_is_cut_is_an_error() {
        let folder = Folder::new();
        let device = device(&folder, BLOCK_BYTES);
        let error = unpack(&*packed(BLOCK_BYTES * 2, &[(0, 1)]), &device).unwrap_err();
        assert!(matches!(error, PristineError::TooSmall { has: 4096, needs: 8192, .. }));
        assert_eq!(std::fs::read(&device).unwrap(), vec![0xAA; BLOCK_BYTES], "nothing was touched");
        let outside = packed(BLOCK_BYTES, &[(0, 1), (BLOCK_BYTES, 1)]);
        assert!(matches!(unpack(&*outside, &device), Err(PristineError::Damaged)));
        let cut = packed(BLOCK_BYTES, &[(0, 1)]);
        assert!(unpack(&cut[..cut.len() - 1], &device).is_err());
        assert!(unpack(&b"WEIRSTA2\0\0\0\0\0\0\0\0"[..], &device).is_err());
    }
}
