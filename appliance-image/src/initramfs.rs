//! Puts the whole system together that the appliance runs from memory: the binary, the kernel's modules, the roots for
//! TLS, a default configuration and a pristine STATE.
//!
//! Two archives follow each other, and the kernel unpacks both: the modules as Debian has packed and signed them, and
//! zstd over the rest. The modules stay packed in memory, too: the kernel unpacks one when it is loaded.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::cpio::{Archive, Entry};
use crate::modules::Chosen;
use crate::say;
use crate::tools::Tools;

/// Where something is mounted, or made at run time, with its permissions.
const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc/weir", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("state", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
];

/// Small files: path and content.
const FILES: &[(&str, &str)] = &[
    ("etc/group", "root:x:0:\nweir:x:990:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nweir:x:990:990:weir:/state:/sbin/nologin\n"),
    ("etc/weir/default.yaml", include_str!("../files/default.yaml")),
];

/// How large a window zstd may use, as a power of two: the kernel needs that much memory to unpack, at a time when a
/// machine with 96 MiB has little.
const ZSTD_WINDOW_LOG: u32 = 21;

/// What the archive is made of.
pub(crate) struct Content<'a> {
    /// Stripped.
    pub(crate) weir: Vec<u8>,
    pub(crate) release: &'a str,
    pub(crate) modules: Chosen,
    /// `etc/ssl/certs/ca-certificates.crt`
    pub(crate) roots: Vec<u8>,
    /// `usr/share/weir/state.blocks`
    pub(crate) state: Vec<u8>,
}

/// The archive's bytes; `level` is zstd's.
pub(crate) fn build(tools: &Tools, content: Content<'_>, level: u32) -> anyhow::Result<Vec<u8>> {
    let tree = format!("lib/modules/{}", content.release);
    let mut modules = Archive::default();
    for (path, bytes) in content.modules.modules {
        modules.add(&format!("{tree}/{path}"), Entry::File(0o644, bytes));
    }
    let mut rest = Archive::default();
    for (name, bytes) in content.modules.indexes {
        rest.add(&format!("{tree}/{name}"), Entry::File(0o644, bytes));
    }
    for (path, mode) in FOLDERS {
        rest.add(path, Entry::Folder(*mode));
    }
    for (path, text) in FILES {
        rest.add(path, Entry::File(0o644, text.as_bytes().to_vec()));
    }
    // Process 1, which makes the links for the other names itself: were there a `modprobe`, the kernel would ask it before,
    // for what is not on board, and each answer would cost a start of the whole binary.
    rest.add("init", Entry::Link("/weir".to_owned()));
    // What the kernel writes to until devtmpfs is mounted.
    rest.add("dev/console", Entry::Device(0o600, 5, 1));
    rest.add("etc/os-release", Entry::File(0o644, os_release().into_bytes()));
    rest.add("etc/resolv.conf", Entry::Link("/run/weir/resolv.conf".to_owned()));
    rest.add("etc/ssl/certs/ca-certificates.crt", Entry::File(0o644, content.roots));
    rest.add("usr/share/weir/state.blocks", Entry::File(0o644, content.state));
    rest.add("weir", Entry::File(0o755, content.weir));

    let mut bytes = modules.to_bytes();
    let unpacked = rest.to_bytes();
    let (level, window) = (format!("-{level}"), format!("--zstd=wlog={ZSTD_WINDOW_LOG}"));
    // `--single-thread`, because the frame depends on how the work is shared.
    let arguments = ["-q", "-c", "--ultra", &level, &window, "--single-thread", "--no-check"];
    let packed = tools.run_with_input("usr/bin/zstd", &arguments, &unpacked)?;
    say::line(format_args!(
        "initramfs: {} of modules, {} packed from {}; {} in memory",
        say::size(bytes.len() as u64),
        say::size(packed.len() as u64),
        say::size(unpacked.len() as u64),
        say::size((bytes.len() + unpacked.len()) as u64),
    ));
    bytes.extend_from_slice(&packed);
    // Boot loaders append to it, and the kernel wants each archive to begin on four bytes.
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    Ok(bytes)
}

fn os_release() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("NAME=Weir\nID=weir\nVERSION_ID={version}\nPRETTY_NAME=\"Weir {version}\"\n")
}

/// The binary without what only a debugger reads. The one that was built keeps it.
pub(crate) fn stripped(tools: &Tools, binary: &Path, work: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(binary)
        .with_context(|| format!("can't read {}: build it, or name another with --weir", binary.display()))?;
    ensure!(bytes.starts_with(b"\x7fELF"), "{} is not a program", binary.display());
    let out = work.join("weir");
    let arguments = ["--strip-all", "--remove-section=.comment", "-o"].map(std::ffi::OsStr::new);
    let paths = [out.as_os_str(), binary.as_os_str()];
    tools.run("usr/bin/x86_64-linux-gnu-strip", &[&arguments[..], &paths[..]].concat())?;
    let stripped = fs::read(&out).context("strip wrote nothing")?;
    say::line(format_args!(
        "weir: {} of {}",
        say::size(stripped.len() as u64),
        say::size(bytes.len() as u64)
    ));
    Ok(stripped)
}

/// Debian's set of roots, as `update-ca-certificates` would join it: it is a maintainer's script, and never runs here.
pub(crate) fn roots(packages: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = packages.join("usr/share/ca-certificates/mozilla");
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no roots in {}", folder.display()))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut joined = Vec::new();
    for path in paths {
        let certificate = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        joined.extend_from_slice(certificate.trim_ascii());
        joined.push(b'\n');
    }
    ensure!(!joined.is_empty(), "{} is empty", folder.display());
    Ok(joined)
}
