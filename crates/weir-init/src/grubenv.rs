//! GRUB's environment block on the ESP: `good`, `next` and `tries`, by which a new slot has three tries before the good one
//! returns.
//!
//! It is exactly 1024 bytes that are overwritten in place. The ESP is not mounted for that: mounting FAT for writing marks
//! it, and a power cut could leave more than these bytes changed. The block is found by its first line, at a sector's
//! start; where there is none, or more than one, nothing is written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::command_line::Slot;

/// Bytes of the block.
const BLOCK_BYTES: usize = 1024;
const HEADER: &str = "# GRUB Environment Block\n";
const SECTOR_BYTES: usize = 512;
/// Read at once while it is looked for.
const WINDOW_BYTES: usize = 256 << 10;
/// Bytes of an ESP that are looked at.
const ESP_BYTES_MAX: u64 = 1 << 30;

/// What the block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Environment {
    /// The slot that is known to work.
    pub(crate) good: Slot,
    /// The slot to start.
    pub(crate) next: Slot,
    /// How often `next` may still be tried.
    pub(crate) tries: u8,
}

/// The block can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrubenvError {
    #[error("the boot loader's environment can't be reached: {0}")]
    Io(#[from] io::Error),
    #[error("the ESP has no environment block of the boot loader")]
    Missing,
    #[error("the ESP has {0} environment blocks of the boot loader, and it is not clear which is in use")]
    Ambiguous(usize),
    #[error("the boot loader's environment block is damaged: it lacks `good`, `next` or `tries`")]
    Damaged,
}

/// A block and where it lies.
#[derive(Debug)]
struct Found {
    at: u64,
    block: [u8; BLOCK_BYTES],
}

/// Reads what the ESP at `device` says.
pub(crate) fn read(device: &Path) -> Result<Environment, GrubenvError> {
    let found = find(&File::open(device)?)?;
    parse(&found.block).ok_or(GrubenvError::Damaged)
}

/// Says that `slot` works, and is to be started: `good` and `next` are it. Writes only what differs.
pub(crate) fn settle(device: &Path, slot: Slot) -> Result<(), GrubenvError> {
    let file = OpenOptions::new().read(true).write(true).open(device)?;
    let found = find(&file)?;
    let before = parse(&found.block).ok_or(GrubenvError::Damaged)?;
    if before.good == slot && before.next == slot {
        return Ok(());
    }
    let settled = set(&found.block, &[("good", slot.name()), ("next", slot.name())]);
    file.write_all_at(&settled.ok_or(GrubenvError::Damaged)?, found.at)?;
    Ok(file.sync_all()?)
}

fn find(device: &File) -> Result<Found, GrubenvError> {
    let mut window = vec![0; WINDOW_BYTES + BLOCK_BYTES];
    let mut found: Vec<u64> = Vec::new();
    let mut start = 0;
    while start < ESP_BYTES_MAX {
        let length = fill(device, &mut window, start)?;
        for at in (0..length.min(WINDOW_BYTES)).step_by(SECTOR_BYTES) {
            if window[at..length].get(..BLOCK_BYTES).is_some_and(is_block) {
                found.push(start + at as u64);
            }
        }
        if length <= WINDOW_BYTES {
            break;
        }
        start += WINDOW_BYTES as u64;
    }
    match found[..] {
        [] => Err(GrubenvError::Missing),
        [at] => {
            let mut block = [0; BLOCK_BYTES];
            device.read_exact_at(&mut block, at)?;
            Ok(Found { at, block })
        }
        [..] => Err(GrubenvError::Ambiguous(found.len())),
    }
}

fn fill(device: &File, window: &mut [u8], start: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < window.len() {
        match device.read_at(&mut window[length..], start + length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Lines of `key=value`, then `#` to the end. The GRUB programs on the ESP hold the first line, too, as a string.
fn is_block(bytes: &[u8]) -> bool {
    bytes.starts_with(HEADER.as_bytes())
        && bytes.ends_with(b"#")
        && variables(bytes).is_some_and(|variables| variables.iter().any(|(key, _)| *key == "good"))
}

fn variables(block: &[u8]) -> Option<Vec<(&str, &str)>> {
    let text = std::str::from_utf8(block).ok()?.strip_prefix(HEADER)?;
    let lines = text.trim_end_matches('#').lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| line.split_once('=')).collect()
}

fn parse(block: &[u8]) -> Option<Environment> {
    let variables = variables(block)?;
    let value = |key: &str| variables.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    Some(Environment {
        good: Slot::from_name(value("good")?)?,
        next: Slot::from_name(value("next")?)?,
        tries: value("tries")?.parse().ok()?,
    })
}

/// The block with other values for some variables, exactly as long as before.
fn set(block: &[u8], changes: &[(&str, &str)]) -> Option<[u8; BLOCK_BYTES]> {
    let mut text = HEADER.to_owned();
    for (key, old) in variables(block)? {
        let value = changes.iter().find(|(name, _)| *name == key).map_or(old, |(_, value)| value);
        text += &format!("{key}={value}\n");
    }
    let mut block = [b'#'; BLOCK_BYTES];
    block.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;

    fn block(variables: &str) -> Vec<u8> {
        let mut text = format!("{HEADER}{variables}").into_bytes();
        text.resize(BLOCK_BYTES, b'#');
        text
    }

    fn esp(folder: &Folder, blocks: &[(usize, &[u8])]) -> std::path::PathBuf {
        let mut bytes = vec![0; WINDOW_BYTES * 2 + 4096];
        for (at, block) in blocks {
            bytes[*at..*at + block.len()].copy_from_slice(block);
        }
        let path = folder.path().join("esp");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_trial_that_went_well_is_settled_in_place() {
        for at in [0, 512, WINDOW_BYTES - 512, WINDOW_BYTES, WINDOW_BYTES * 2 + 3072] {
            let folder = Folder::new();
            let path = esp(&folder, &[(at, &block("good=A\nnext=B\ntries=2\n"))]);
            let before = std::fs::read(&path).unwrap();
            assert_eq!(read(&path).unwrap(), Environment { good: Slot::A, next: Slot::B, tries: 2 });
            settle(&path, Slot::B).unwrap();
            assert_eq!(read(&path).unwrap(), Environment { good: Slot::B, next: Slot::B, tries: 2 });
            let after = std::fs::read(&path).unwrap();
            assert_eq!(after.len(), before.len());
            let changed: Vec<usize> = (0..before.len()).filter(|&i| before[i] != after[i]).collect();
            assert_eq!(changed, [at + HEADER.len() + "good=".len()]);
        }
    }

    #[test]
    fn where_it_is_not_clear_nothing_is_written() {
        let folder = Folder::new();
        let one = block("good=A\nnext=B\ntries=2\n");
        let path = esp(&folder, &[(1024, &one), (8192, &one)]);
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(settle(&path, Slot::B), Err(GrubenvError::Ambiguous(2))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert!(matches!(read(&esp(&folder, &[])), Err(GrubenvError::Missing)));
        assert!(matches!(read(&esp(&folder, &[(0, &block("good=A\n"))])), Err(GrubenvError::Damaged)));
    }

    #[test]
    fn the_first_line_within_a_program_is_no_block() {
        let folder = Folder::new();
        let mut program = HEADER.as_bytes().to_vec();
        program.extend([0; 999]);
        assert!(matches!(read(&esp(&folder, &[(512, &program)])), Err(GrubenvError::Missing)));
    }

    #[test]
    fn other_variables_stay() {
        let changed = set(&block("good=A\nnext=B\ntries=0\nserial=no\n"), &[("good", "B")]).unwrap();
        assert!(changed.starts_with(format!("{HEADER}good=B\nnext=B\ntries=0\nserial=no\n###").as_bytes()));
    }
}
