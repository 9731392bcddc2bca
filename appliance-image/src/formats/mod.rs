//! The disk formats that the image is published in: one table, and a file for each that is written here.
//!
//! To add one, add a row and a function that writes it. It has to write the same bytes for the same disk, which is why
//! no row calls qemu-img: of these formats, it writes only qcow2 twice alike, and its streamOptimized VMDK is one that
//! VMware refuses.

mod deflate;
mod ova;
mod qcow2;
#[cfg(test)]
pub(crate) mod samples;
mod vhd;
mod vhdx;
mod vmdk;

pub(crate) use deflate::Deflate;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Context as _;

use crate::tools::Tools;

/// A format, the end of its files' names, and who takes it.
pub(crate) struct Format {
    /// Of the file, behind `weir-VERSION.`; also what `--only` takes.
    pub(crate) extension: &'static str,
    /// Who takes it.
    pub(crate) why: &'static str,
    write: Write,
}

/// What writes a format: from a file, to a file.
enum Write {
    /// Out of the disk.
    OfDisk(fn(&Path, &Path, &Tools) -> anyhow::Result<()>),
    /// Out of the VMDK.
    OfVmdk(fn(&Path, &Path, &Tools) -> anyhow::Result<()>),
}

/// All that are made.
pub(crate) const TABLE: &[Format] = &[
    Format {
        extension: "qcow2",
        why: "KVM: Proxmox, libvirt, OpenStack; XCP-ng",
        write: Write::OfDisk(|disk, to, _| qcow2::write(disk, to)),
    },
    Format {
        extension: "raw.zst",
        why: "whatever takes plain disks; clouds; real machines",
        write: Write::OfDisk(raw_zst),
    },
    Format {
        extension: "vmdk",
        why: "VMware, where the machine is made by hand; VirtualBox",
        write: Write::OfDisk(|disk, to, _| vmdk::write(disk, to)),
    },
    Format {
        extension: "ova",
        why: "VMware and VirtualBox: the whole machine; XenServer and XCP-ng import it, too",
        write: Write::OfVmdk(|vmdk, to, tools| {
            ova::write(vmdk, to, env!("CARGO_PKG_VERSION"), tools.epoch())
        }),
    },
    Format {
        extension: "vhd",
        why: "Azure, XenServer, Hyper-V Gen1",
        write: Write::OfDisk(|disk, to, _| vhd::write(disk, to)),
    },
    Format { extension: "vhdx", why: "Hyper-V", write: Write::OfDisk(|disk, to, _| vhdx::write(disk, to)) },
];

/// The disk itself. Its window holds a slot, so that the other one is found to be its copy; it is the largest that
/// zstd unpacks without being told.
fn raw_zst(disk: &Path, to: &Path, tools: &Tools) -> anyhow::Result<()> {
    let arguments = ["-q", "-f", "-9", "--long=27", "--single-thread", "-o"].map(OsStr::new);
    let paths = [to.as_os_str(), disk.as_os_str()];
    tools.run("usr/bin/zstd", &[&arguments[..], &paths[..]].concat())?;
    Ok(())
}

/// Writes those that are wanted into `folder`, at once, and says where they are. What only another one is made of may
/// be there, too.
pub(crate) fn write(
    disk: &Path,
    folder: &Path,
    tools: &Tools,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<(&'static Format, PathBuf)>> {
    let vmdk = folder.join("vmdk");
    let all = || TABLE.iter().filter(|format| wanted(format.extension));
    let needs_vmdk = all().any(|format| matches!(format.write, Write::OfVmdk(_)));
    let of_disk =
        TABLE.iter().filter(|format| wanted(format.extension) || needs_vmdk && format.extension == "vmdk");
    thread::scope(|scope| {
        let mut running = Vec::new();
        for format in of_disk {
            if let Write::OfDisk(write) = format.write {
                let to = folder.join(format.extension);
                running.push((format.extension, scope.spawn(move || write(disk, &to, tools))));
            }
        }
        for (extension, thread) in running {
            let done = thread.join().map_err(|_| anyhow::anyhow!("its writer panicked")).flatten();
            done.with_context(|| format!("can't write the {extension}"))?;
        }
        anyhow::Ok(())
    })?;
    let mut written = Vec::new();
    for format in all() {
        let to = folder.join(format.extension);
        if let Write::OfVmdk(write) = format.write {
            write(&vmdk, &to, tools).with_context(|| format!("can't write the {}", format.extension))?;
        }
        written.push((format, to));
    }
    Ok(written)
}
