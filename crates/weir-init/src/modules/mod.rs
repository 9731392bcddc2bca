//! Kernel modules: what the devices ask for by their modalias, and what the kernel asks for by name.
//!
//! The kernel unpacks `.ko.xz` itself. It is asked in the order of the devices' places, so that network cards of the same
//! machine get the same names at every start. A module whose device isn't there answers ENODEV, which is no fault.

mod alias;
mod hotplug;
mod index;
mod uevent;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::console::note;
use index::{Index, Step, Texts};

pub(crate) use hotplug::{Devices, coldplug, natural};
pub(crate) use uevent::Uevents;

/// `MODULE_INIT_COMPRESSED_FILE`.
const COMPRESSED: i32 = 4;

/// Loads modules, each once.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    folder: PathBuf,
    index: Arc<Index>,
    loaded: HashSet<Box<str>>,
    /// What went wrong that should not, for people.
    faults: Vec<String>,
}

impl Loader {
    /// The modules of the kernel that runs, without those that it has already. With none on board the index is empty.
    pub(crate) fn open() -> Self {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let folder = Path::new("/lib/modules").join(release);
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let index = Index::parse(&Texts {
            alias: text("modules.alias"),
            dep: text("modules.dep"),
            softdep: text("modules.softdep"),
            builtin: text("modules.builtin"),
        });
        let mut faults = Vec::new();
        if index.len() == 0 {
            faults.push(format!("no kernel modules in {}", folder.display()));
        }
        let loaded = names(&std::fs::read_to_string("/proc/modules").unwrap_or_default());
        Self { folder, index: Arc::new(index), loaded, faults }
    }

    /// Another one, which may work at the same time: the kernel loads a module once, whoever asks for it.
    pub(crate) fn beside(&self) -> Self {
        Self { faults: Vec::new(), ..self.clone() }
    }

    /// Knows what the other one has done, too.
    pub(crate) fn joined_by(mut self, other: Self) -> Self {
        self.loaded.extend(other.loaded);
        self.faults.extend(other.faults);
        self
    }

    /// Loads what is for a modalias, an alias like `fs-ext4`, or a name.
    pub(crate) fn load(&mut self, wanted: &str) {
        let Self { folder, index, loaded, faults } = self;
        for module in index.resolve(wanted) {
            for step in index.order(module, loaded) {
                match insert(folder, step) {
                    Ok(()) => drop(loaded.insert(step.name.into())),
                    Err(Errno::EXIST) => drop(loaded.insert(step.name.into())),
                    // Its device isn't there, or what it needs stayed away for that reason (an unknown symbol). It is
                    // asked again for the next device.
                    Err(error @ (Errno::NODEV | Errno::NOENT | Errno::NXIO)) => {
                        note(&format!("module {} not loaded: {error}", step.name));
                    }
                    Err(error) => faults.push(format!("module {} not loaded: {error}", step.name)),
                }
            }
        }
    }

    /// How many modules the kernel has, as far as this one knows.
    pub(crate) fn loaded(&self) -> usize {
        self.loaded.len()
    }

    /// What went wrong since the last time.
    pub(crate) fn take_faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.faults)
    }
}

fn insert(folder: &Path, step: Step<'_>) -> rustix::io::Result<()> {
    let file = File::open(folder.join(step.path))
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let flags = if step.path.ends_with(".ko") { 0 } else { COMPRESSED };
    rustix::system::finit_module(&file, c"", flags)
}

/// `modprobe` as the kernel runs it: with the options `-q --` and what it wants (`fs-ext4`, `crypto-crc32c`, `tcp_bbr`).
pub(crate) fn modprobe(wanted: impl Iterator<Item = String>) {
    let mut loader = Loader::open();
    for name in wanted.filter(|word| !word.starts_with('-')) {
        loader.load(&name);
    }
}

/// Reads `/proc/modules`.
fn names(text: &str) -> HashSet<Box<str>> {
    text.lines().filter_map(|line| line.split(' ').next()).map(Box::from).collect()
}

/// The kernel takes hyphens for underscores.
fn canonical(name: &str) -> Cow<'_, str> {
    if name.contains('-') { Cow::Owned(name.replace('-', "_")) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_has_is_not_loaded_again() {
        let text =
            "crc16 12288 1 ext4, Live 0x0000000000000000\njbd2 204800 1 ext4, Live 0x0000000000000000\n";
        assert_eq!(names(text), HashSet::from(["crc16".into(), "jbd2".into()]));
        assert!(names("").is_empty());
    }
}
