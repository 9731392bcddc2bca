//! The pristine STATE in a form that `weir init` can write without unpacking anything: the few blocks of an empty file
//! system that are not zero. It lies in the initramfs as `usr/share/weir/state.blocks`.
//!
//! The form: the 8 bytes `WEIRSTA1`; the size of the file system in bytes; then for each block its offset in bytes and
//! its 4096 bytes. Numbers have 8 bytes, the lowest first. Blocks ascend. Whoever writes it has to write zeros
//! everywhere else: the file system believes that its tables of inodes and its journal are empty.

use std::path::Path;

use anyhow::Context as _;

use crate::disk::Pieces;

const MAGIC: &[u8; 8] = b"WEIRSTA1";
const BLOCK: usize = 4096;

/// Of an image file.
pub(crate) fn blocks_of(image: &Path) -> anyhow::Result<Vec<u8>> {
    let pieces = Pieces::open(image, BLOCK)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&pieces.size().to_le_bytes());
    for piece in pieces {
        let piece = piece.context("can't read the image of STATE")?;
        if let Some(content) = piece.content {
            bytes.extend_from_slice(&piece.offset.to_le_bytes());
            bytes.extend_from_slice(&content);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_blocks_that_are_not_zero() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let path = folder.path().join("image");
        let mut image = vec![0; 4 * BLOCK];
        image[2 * BLOCK + 7] = 1;
        std::fs::write(&path, &image).expect("room");
        let bytes = blocks_of(&path).expect("a whole image");
        assert_eq!(&bytes[..8], b"WEIRSTA1");
        assert_eq!(bytes[8..16], (4 * BLOCK as u64).to_le_bytes());
        assert_eq!(bytes[16..24], (2 * BLOCK as u64).to_le_bytes());
        assert_eq!(bytes[24..], image[2 * BLOCK..3 * BLOCK]);
    }
}
