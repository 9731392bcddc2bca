//! The packages of Debian that go into the image or build it, each with its reason.
//!
//! All come from one suite and run with that suite's own C library, so that the image does not depend on the machine
//! that it is built on. None is installed: a package's maintainer scripts never run.

/// The suite: the stable release that has a kernel 6.12, shim and GRUB signed for Secure Boot, and an mke2fs that
/// heeds `SOURCE_DATE_EPOCH` (1.47.2 and newer).
pub(crate) const SUITE: &str = "trixie";

/// The package that depends on the kernel of the day.
pub(crate) const KERNEL_OF_THE_DAY: &str = "linux-image-amd64";
/// How the kernel's own package is named, and which kernels were tried.
pub(crate) const KERNEL_PREFIX: &str = "linux-image-6.12.";

/// What a package is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Parts of it are in the image.
    Shipped,
    /// It builds the image.
    Tool,
    /// A library of a tool.
    Library,
}

/// A package, its role and why it is here.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) why: &'static str,
}

const fn shipped(name: &'static str, why: &'static str) -> Package {
    Package { name, role: Role::Shipped, why }
}
const fn tool(name: &'static str, why: &'static str) -> Package {
    Package { name, role: Role::Tool, why }
}
const fn library(name: &'static str, why: &'static str) -> Package {
    Package { name, role: Role::Library, why }
}

/// All but the kernel, whose name carries its version.
pub(crate) const TABLE: &[Package] = &[
    shipped("ca-certificates", "the roots that servers' certificates are checked against"),
    shipped("grub-efi-amd64-signed", "GRUB for UEFI, signed by Debian"),
    shipped("grub-pc-bin", "GRUB's modules for BIOS"),
    shipped("shim-signed", "shim, signed by Microsoft: trusts Debian's GRUB and kernel"),
    tool("binutils-x86-64-linux-gnu", "strip"),
    tool("e2fsprogs", "mke2fs"),
    tool("fdisk", "sfdisk"),
    tool("grub-common", "grub-mkimage, grub-script-check"),
    tool("kmod", "depmod"),
    tool("mtools", "mformat, mmd, mcopy"),
    tool("zstd", "zstd"),
    library("libc6", "all"),
    library("libbinutils", "strip"),
    library("libblkid1", "mke2fs, sfdisk"),
    library("libcap2", "grub-mkimage"),
    library("libcom-err2", "mke2fs"),
    library("libdevmapper1.02.1", "grub-mkimage"),
    library("libext2fs2t64", "mke2fs"),
    library("libfdisk1", "sfdisk"),
    library("liblz4-1", "zstd"),
    library("liblzma5", "grub-mkimage, zstd"),
    library("libpcre2-8-0", "grub-mkimage"),
    library("libreadline8t64", "sfdisk"),
    library("libselinux1", "grub-mkimage"),
    library("libsframe1", "strip"),
    library("libsmartcols1", "sfdisk"),
    library("libssl3t64", "depmod"),
    library("libtinfo6", "sfdisk"),
    library("libudev1", "grub-mkimage"),
    library("libuuid1", "mke2fs, sfdisk"),
    library("libxxhash0", "zstd"),
    library("libzstd1", "depmod, strip"),
    library("zlib1g", "depmod, strip, zstd"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_twice_or_without_a_reason() {
        let mut names: Vec<_> = TABLE.iter().map(|package| package.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.iter().all(|package| !package.why.is_empty()));
    }
}
