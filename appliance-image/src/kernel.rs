//! Finds the kernel among the unpacked packages, and takes the plain ELF kernel out of the bootable image.
//!
//! The format of the bootable image: Documentation/arch/x86/boot.rst.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::tools::Tools;

/// The kernel.
pub(crate) struct Kernel {
    /// `6.12.118+deb13-amd64`, as `uname -r` says.
    pub(crate) release: String,
    /// The bootable image, as Debian signed it.
    pub(crate) image: Vec<u8>,
    /// `usr/lib/modules/RELEASE` of its package.
    pub(crate) tree: PathBuf,
}

/// The one kernel under `root`.
pub(crate) fn find(root: &Path) -> anyhow::Result<Kernel> {
    let all = root.join("usr/lib/modules");
    let mut releases = Vec::new();
    for entry in fs::read_dir(&all).with_context(|| format!("no kernel in {}", all.display()))? {
        releases.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let [release] = releases.as_slice() else {
        bail!("{} has {} kernels, not one", all.display(), releases.len())
    };
    let path = root.join("boot").join(format!("vmlinuz-{release}"));
    let image = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(Kernel { release: release.clone(), image, tree: all.join(release) })
}

/// The ELF kernel within the bootable image: all that a Xen PV guest's boot loader can start, because nothing there
/// runs the image's own unpacking code.
pub(crate) fn elf(tools: &Tools, image: &[u8]) -> anyhow::Result<Vec<u8>> {
    let payload = payload(image)?;
    ensure!(
        payload.starts_with(&ZSTD_MAGIC),
        "the kernel's payload is not packed with zstd, as Debian's has been"
    );
    // The last four bytes are the unpacked size, appended by the kernel's build.
    let (packed, size) = payload.split_at(payload.len() - 4);
    let elf = tools.run_with_input("usr/bin/zstd", &["-q", "-d", "-c"], packed)?;
    let size = u32::from_le_bytes(size.try_into().expect("four bytes were split off")) as usize;
    ensure!(
        elf.len() == size && elf.starts_with(b"\x7fELF"),
        "the kernel's payload is not one whole ELF file"
    );
    Ok(elf)
}

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn payload(image: &[u8]) -> anyhow::Result<&[u8]> {
    const SETUP_SECTORS: usize = 0x1f1;
    const MAGIC: usize = 0x202;
    const PAYLOAD_OFFSET: usize = 0x248;
    const PAYLOAD_LENGTH: usize = 0x24c;
    ensure!(image.get(MAGIC..MAGIC + 4) == Some(b"HdrS"), "the kernel is not a bootable image");
    let number = |at: usize| {
        let bytes = image.get(at..at + 4).context("the kernel's header is cut off")?;
        anyhow::Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize)
    };
    let setup = (usize::from(image[SETUP_SECTORS]) + 1) * 512;
    let start = setup + number(PAYLOAD_OFFSET)?;
    let length = number(PAYLOAD_LENGTH)?;
    ensure!(length > 8, "the kernel's image has no payload");
    image.get(start..start + length).context("the kernel's payload is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_payload_behind_the_setup_code() {
        let mut image = vec![0; 4 * 512];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&12_u32.to_le_bytes());
        image[1040..1052].copy_from_slice(b"the payload!");
        assert_eq!(payload(&image).expect("it is there"), b"the payload!");
        image.truncate(1050);
        assert!(payload(&image).is_err());
        assert!(payload(b"#!/bin/sh").is_err());
    }
}
