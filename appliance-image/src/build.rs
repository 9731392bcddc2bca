//! The order in which an image is built. What `--only` does not ask for is not made, nor what only that would need.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::BuildArguments;
use crate::filesystems::{Content, Maker};
use crate::formats::{self, Deflate};
use crate::kernel::{self, Kernel};
use crate::layout::{ESP, SLOT_A, SLOT_B, STATE};
use crate::packages::{self, Packages};
use crate::tools::Tools;
use crate::{disk, grub, initramfs, inventory, modules, say, state};

/// The kernel, for direct boot.
const VMLINUZ: &str = "vmlinuz";
/// The system, for direct boot.
const INITRAMFS: &str = "initramfs";
/// The disk as it is: not published, because it is large and nearly empty.
const RAW: &str = "raw";
/// The digests of all files.
const SUMS: &str = "SHA256SUMS";

/// `build`
pub(crate) fn run(arguments: &BuildArguments) -> anyhow::Result<()> {
    let wanted = Wanted::from(&arguments.only)?;
    let workspace = workspace()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let cache = arguments.packages.clone().unwrap_or_else(|| target.join("appliance"));
    let packages = packages::get(&workspace, &cache)?;
    let tools = Tools::new(&packages.root, arguments.epoch);
    let work = tempfile::tempdir_in(&cache).context("can't make a folder to work in")?;
    fs::create_dir_all(&arguments.out).with_context(|| format!("can't make {}", arguments.out.display()))?;
    let mut build = Build { arguments, packages, tools, work: work.path(), published: Vec::new() };

    let kernel = kernel::find(&build.packages.root)?;
    say::line(format_args!("kernel: {}", kernel.release));
    if wanted.has(VMLINUZ) {
        build.publish(VMLINUZ, &kernel.image)?;
    }
    if wanted.only(&[VMLINUZ]) {
        return Ok(());
    }
    let tools = build.tools.clone();
    let maker = Maker { tools: &tools, work: work.path() };
    let empty_state = maker.state()?;
    let initramfs = build.initramfs(&kernel, &empty_state)?;
    if wanted.has(INITRAMFS) {
        build.publish(INITRAMFS, &initramfs)?;
    }
    if wanted.only(&[VMLINUZ, INITRAMFS]) {
        return Ok(());
    }
    let disk = build.disk(&maker, &kernel, &initramfs, &empty_state)?;
    build.formats(&wanted, &disk)?;
    if wanted.everything() {
        build.inventory(&workspace)?;
    }
    Ok(())
}

/// What was asked for.
struct Wanted<'a>(&'a [String]);

impl<'a> Wanted<'a> {
    fn from(only: &'a [String]) -> anyhow::Result<Self> {
        let mut known = vec![VMLINUZ, INITRAMFS, RAW];
        known.extend(formats::TABLE.iter().map(|format| format.extension));
        for name in only {
            if !known.contains(&name.as_str()) {
                bail!("--only: there is no `{name}`, but {}", known.join(", "));
            }
        }
        Ok(Self(only))
    }

    /// Whether nothing was left out: only then what says what is in the image is about all files.
    fn everything(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, name: &str) -> bool {
        self.0.is_empty() && name != RAW || self.0.iter().any(|wanted| wanted == name)
    }

    /// Whether nothing but some of these is wanted.
    fn only(&self, names: &[&str]) -> bool {
        !self.0.is_empty() && self.0.iter().all(|wanted| names.contains(&wanted.as_str()))
    }
}

struct Build<'a> {
    arguments: &'a BuildArguments,
    packages: Packages,
    tools: Tools,
    work: &'a Path,
    /// The names of the files.
    published: Vec<String>,
}

impl Build<'_> {
    fn initramfs(&self, kernel: &Kernel, empty_state: &Path) -> anyhow::Result<Vec<u8>> {
        let content = initramfs::Content {
            weir: initramfs::stripped(&self.tools, &self.arguments.weir, self.work)?,
            release: &kernel.release,
            modules: modules::choose(&self.tools, &kernel.tree, &kernel.release, self.work)?,
            roots: initramfs::roots(&self.packages.root)?,
            state: state::blocks_of(empty_state)?,
        };
        initramfs::build(&self.tools, content, self.arguments.level)
    }

    fn disk(
        &self,
        maker: &Maker<'_>,
        kernel: &Kernel,
        initramfs: &[u8],
        empty_state: &Path,
    ) -> anyhow::Result<PathBuf> {
        grub::check(&self.tools)?;
        let elf = Deflate::best().gzip(&kernel::elf(&self.tools, &kernel.image)?).to_vec();
        let slot = maker.slot(&[
            Content { path: "initramfs", bytes: initramfs },
            Content { path: "vmlinux.gz", bytes: &elf },
            Content { path: "vmlinuz", bytes: &kernel.image },
        ])?;
        let esp = maker.esp()?;
        let code = grub::bios_code(&self.tools, self.work)?;
        let disk = self.work.join("disk.raw");
        let images = [(&ESP, &*esp), (&SLOT_A, &*slot), (&SLOT_B, &*slot), (&STATE, empty_state)];
        disk::assemble(&self.tools, &disk, &code, &images)?;
        Ok(disk)
    }

    fn formats(&mut self, wanted: &Wanted<'_>, disk: &Path) -> anyhow::Result<()> {
        for (format, file) in formats::write(disk, self.work, &self.tools, |name| wanted.has(name))? {
            self.move_out(&file, &self.named(format.extension))?;
            say::line(format_args!("    for {}", format.why));
        }
        if wanted.has(RAW) {
            self.move_out(disk, &self.named(RAW))?;
        }
        Ok(())
    }

    /// What is in the image, and the digests of all files, which come last.
    fn inventory(&mut self, workspace: &Path) -> anyhow::Result<()> {
        let bill = inventory::bill_of_materials(workspace, &self.packages)?;
        self.publish(&self.named("cdx.json"), bill.as_bytes())?;
        let list = inventory::list_of_packages(&self.packages)?;
        self.publish(&self.named("packages.txt"), list.as_bytes())?;
        let sums = inventory::sums(&self.arguments.out, &self.published)?;
        self.publish(SUMS, sums.as_bytes())
    }

    fn named(&self, extension: &str) -> String {
        format!("weir-{}.{extension}", env!("CARGO_PKG_VERSION"))
    }

    fn publish(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let unfinished = self.work.join(name);
        fs::write(&unfinished, bytes).with_context(|| format!("can't write {name}"))?;
        self.move_out(&unfinished, name)
    }

    /// Whole or not at all: a boot test may be reading what is there.
    fn move_out(&mut self, from: &Path, name: &str) -> anyhow::Result<()> {
        let to = self.arguments.out.join(name);
        say::line(format_args!("{} ({})", to.display(), say::size(fs::metadata(from)?.len())));
        self.published.push(name.to_owned());
        if fs::rename(from, &to).is_ok() {
            return Ok(());
        }
        // The folder is on another file system.
        let beside = self.arguments.out.join(format!(".{name}.unfinished"));
        fs::copy(from, &beside)
            .and_then(|_| fs::rename(&beside, &to))
            .with_context(|| format!("can't write {}", to.display()))
    }
}

/// The folder of this repository, wherever the program is started.
fn workspace() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .context("the package has no workspace around it")
}
