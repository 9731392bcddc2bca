//! The disk formats that the image is published in: one table, and a file for each that is written here.
//!
//! To add one, add a row and a function that writes the disk at one path to another. It has to write the same bytes for
//! the same disk.

mod deflate;
mod qcow2;

pub(crate) use deflate::Deflate;

use std::path::Path;

use crate::tools::Tools;

/// What writes a format: the disk, the file to write, the packages' programs.
type Write = fn(&Path, &Path, &Tools) -> anyhow::Result<()>;

/// A format, the end of its files' names, and who takes it.
pub(crate) struct Format {
    /// Of the file, behind `weir-VERSION.`; also what `--only` takes.
    pub(crate) extension: &'static str,
    /// Who takes it.
    pub(crate) why: &'static str,
    pub(crate) write: Write,
}

/// All that are made.
pub(crate) const TABLE: &[Format] = &[
    Format {
        extension: "qcow2",
        why: "KVM: Proxmox, libvirt, OpenStack",
        write: |from, to, _| qcow2::write(from, to),
    },
    Format { extension: "raw.zst", why: "anything that takes plain disks, and clouds", write: raw_zst },
];

/// The disk itself, for programs that take nothing else, and as a step to other formats.
fn raw_zst(from: &Path, to: &Path, tools: &Tools) -> anyhow::Result<()> {
    // A window that holds a slot, so that the other one is found to be its copy.
    let arguments = ["-q", "-f", "-12", "--long=27", "--single-thread", "-o"].map(std::ffi::OsStr::new);
    let paths = [to.as_os_str(), from.as_os_str()];
    tools.run("usr/bin/zstd", &[&arguments[..], &paths[..]].concat())?;
    Ok(())
}
