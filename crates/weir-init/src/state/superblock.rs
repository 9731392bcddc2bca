//! What ext4's superblock says of how the file system was left.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const AT: u64 = 1024;
const MAGIC: u16 = 0xEF53;
/// Of `s_state`: errors were seen.
const ERRORS: u16 = 2;
/// Of `s_feature_incompat`: the journal has to be replayed.
const RECOVER: u32 = 4;

/// How the file system was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Clean,
    /// In the middle of something; mounting it replays the journal.
    Interrupted,
    /// With errors that the kernel saw; only a repair that is not on board would mend them.
    Damaged,
    /// It is none.
    Nothing,
}

/// Reads the superblock of `device`.
pub(crate) fn read(device: &Path) -> io::Result<Left> {
    let mut block = [0; 1024];
    match File::open(device)?.read_exact_at(&mut block, AT) {
        Ok(()) => Ok(judge(&block)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Left::Nothing),
        Err(error) => Err(error),
    }
}

fn judge(block: &[u8; 1024]) -> Left {
    let short = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
    let long = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    if short(0x38) != MAGIC {
        Left::Nothing
    } else if short(0x3A) & ERRORS != 0 {
        Left::Damaged
    } else if long(0x60) & RECOVER != 0 {
        Left::Interrupted
    } else {
        Left::Clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(state: u16, incompat: u32) -> [u8; 1024] {
        let mut block = [0; 1024];
        block[0x38..0x3A].copy_from_slice(&MAGIC.to_le_bytes());
        block[0x3A..0x3C].copy_from_slice(&state.to_le_bytes());
        block[0x60..0x64].copy_from_slice(&incompat.to_le_bytes());
        block
    }

    #[test]
    fn tells_how_it_was_left() {
        assert_eq!(judge(&block(1, 0x2C2)), Left::Clean);
        assert_eq!(judge(&block(1, 0x2C6)), Left::Interrupted);
        assert_eq!(judge(&block(2, 0x2C6)), Left::Damaged);
        assert_eq!(judge(&[0; 1024]), Left::Nothing);
    }
}
