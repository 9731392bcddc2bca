//! A disk for the tests of formats, and what a format makes of one.

use std::path::Path;

/// 4 MiB with holes, text that packs well, noise that does not, and a copy of both.
pub(crate) fn disk() -> Vec<u8> {
    const PIECE: usize = 6 << 16;
    let mut disk = vec![0; 64 << 16];
    let mut noise = 1_u64;
    for (index, byte) in disk[3 << 16..][..PIECE].iter_mut().enumerate() {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = if index < PIECE / 2 { (index / 300) as u8 } else { (noise >> 33) as u8 };
    }
    disk.copy_within((3 << 16)..(3 << 16) + PIECE, 40 << 16);
    disk
}

/// The file that a format's writer makes.
pub(crate) fn written(write: impl Fn(&Path, &Path) -> anyhow::Result<()>, disk: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let (from, to) = (folder.path().join("raw"), folder.path().join("written"));
    std::fs::write(&from, disk).expect("room");
    write(&from, &to).expect("a sound disk");
    std::fs::read(&to).expect("it was written")
}
