//! Writes a fixed VHD: the disk as it is, and a footer (Microsoft's Virtual Hard Disk Image Format Specification 1.0).
//!
//! What reads a VHD takes the size either from the footer's number or from its cylinders; the layout's size is the same
//! by both, and a whole number of MiB, as Azure asks for. The disk's holes stay holes in the file.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::disk::Pieces;
use crate::layout::{DISK_UUID, MIB, SECTOR};

const HEADS: u64 = 16;
const SECTORS_PER_TRACK: u64 = 63;

/// Writes the disk at `from`.
pub(crate) fn write(from: &Path, to: &Path) -> anyhow::Result<()> {
    let pieces = Pieces::open(from, MIB as usize)?;
    let size = pieces.size();
    let footer = footer(size)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(to)
        .with_context(|| format!("can't make {}", to.display()))?;
    file.set_len(size).context("can't write the VHD")?;
    for piece in pieces {
        let piece = piece.context("can't read the disk")?;
        if let Some(content) = piece.content {
            file.seek(SeekFrom::Start(piece.offset))
                .and_then(|_| file.write_all(&content))
                .context("can't write the VHD")?;
        }
    }
    file.seek(SeekFrom::Start(size)).and_then(|_| file.write_all(&footer)).context("can't write the VHD")
}

fn footer(size: u64) -> anyhow::Result<Vec<u8>> {
    let track = HEADS * SECTORS_PER_TRACK * SECTOR;
    let cylinders = u16::try_from(size / track).context("the disk is too large for a VHD's cylinders")?;
    ensure!(u64::from(cylinders) * track == size, "the disk does not end with a whole cylinder");

    let mut footer = b"conectix".to_vec();
    footer.extend_from_slice(&2_u32.to_be_bytes()); // a bit that is always set
    footer.extend_from_slice(&0x0001_0000_u32.to_be_bytes()); // version
    footer.extend_from_slice(&u64::MAX.to_be_bytes()); // fixed: nothing follows
    footer.extend_from_slice(&0_u32.to_be_bytes()); // made at the beginning of 2000
    footer.extend_from_slice(b"win \x00\x0a\x00\x00Wi2k"); // as Hyper-V's: readers know only some names
    footer.extend_from_slice(&size.to_be_bytes()); // as it was made
    footer.extend_from_slice(&size.to_be_bytes()); // as it is
    footer.extend_from_slice(&cylinders.to_be_bytes());
    footer.extend_from_slice(&[HEADS as u8, SECTORS_PER_TRACK as u8]);
    footer.extend_from_slice(&2_u32.to_be_bytes()); // fixed
    footer.extend_from_slice(&[0; 4]); // the checksum
    footer.extend_from_slice(&identity());
    footer.resize(SECTOR as usize, 0);
    let sum = footer.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
    Ok(footer)
}

fn identity() -> [u8; 16] {
    let digits = DISK_UUID.replace('-', "");
    u128::from_str_radix(&digits, 16).expect("the layout's identities are UUIDs").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::DISK_SIZE;

    #[test]
    fn the_footer_says_one_size_by_number_and_by_cylinders() {
        let footer = footer(DISK_SIZE).expect("the layout's size");
        assert_eq!(footer.len(), 512);
        assert_eq!(footer[48..56], DISK_SIZE.to_be_bytes());
        assert_eq!(footer[56..60], [4, 0, 16, 63], "1024 cylinders");
    }

    #[test]
    fn the_checksum_is_the_complement_of_all_other_bytes() {
        let footer = footer(DISK_SIZE).expect("the layout's size");
        let others = footer[..64].iter().chain(&footer[68..]).map(|byte| u32::from(*byte)).sum::<u32>();
        assert_eq!(footer[64..68], (!others).to_be_bytes());
    }

    #[test]
    fn refuses_a_size_that_readers_would_disagree_on() {
        assert!(footer(DISK_SIZE + MIB).is_err());
    }

    #[test]
    fn the_disk_stands_before_the_footer() {
        let disk: Vec<u8> = (0..16 * 63 * 512 * 2_u32).map(|index| (index >> 12) as u8).collect();
        let file = crate::formats::samples::written(write, &disk);
        assert_eq!(file.len(), disk.len() + 512);
        assert!(file[..disk.len()] == disk && file[disk.len()..].starts_with(b"conectix"));
    }
}
