//! Chooses the kernel modules of [`table`] and what they depend on, and has depmod index the chosen ones.
//!
//! Invariant: every module that a chosen one needs is chosen too, by the `modules.dep` of the whole kernel. A row that
//! the kernel does not fulfil is an error that names it.

pub(crate) mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::modules::table::{Module, TABLE};
use crate::say;
use crate::tools::Tools;

/// What depmod reads of the whole kernel beside the modules.
const KERNEL_LISTS: [&str; 3] = ["modules.builtin", "modules.builtin.modinfo", "modules.order"];
/// What depmod writes and `weir init` reads. The others are for programs that the image does not have.
const INDEXES: [&str; 4] = ["modules.alias", "modules.dep", "modules.devname", "modules.softdep"];

/// Files of `lib/modules/RELEASE`, by their path within it.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The chosen modules and their indexes.
pub(crate) struct Chosen {
    /// `kernel/…/NAME.ko.xz`
    pub(crate) modules: Files,
    /// `modules.dep` and its siblings.
    pub(crate) indexes: Files,
}

/// Out of the unpacked kernel's `tree`, that is `usr/lib/modules/RELEASE`; `work` is a folder to write to.
pub(crate) fn choose(tools: &Tools, tree: &Path, release: &str, work: &Path) -> anyhow::Result<Chosen> {
    let whole = work.join("whole");
    depmod(tools, tree, release, &whole, Copying::Links)?;
    let dep = fs::read_to_string(indexes_of(&whole, release).join("modules.dep"))
        .context("depmod wrote no modules.dep")?;
    let builtin = fs::read_to_string(tree.join("modules.builtin"))
        .context("the kernel's package lacks modules.builtin")?;
    let graph = Graph::parse(&dep, &builtin);

    let chosen = graph.closure(TABLE)?;
    let mut modules = Files::new();
    for path in &chosen {
        let content = fs::read(tree.join(path)).with_context(|| format!("can't read the module {path}"))?;
        modules.insert(path.clone(), content);
    }
    tell_sizes(&graph, &modules)?;

    let subset = work.join("subset");
    depmod(tools, tree, release, &subset, Copying::These(&modules))?;
    let mut indexes = Files::new();
    for name in INDEXES {
        let content = fs::read(indexes_of(&subset, release).join(name))
            .with_context(|| format!("depmod wrote no {name}"))?;
        indexes.insert(name.to_owned(), content);
    }
    indexes.insert("modules.builtin".to_owned(), builtin.into_bytes());
    Ok(Chosen { modules, indexes })
}

/// How depmod's folder is filled.
#[derive(Clone, Copy)]
enum Copying<'a> {
    /// With a link to all modules.
    Links,
    /// With these.
    These(&'a Files),
}

fn indexes_of(base: &Path, release: &str) -> std::path::PathBuf {
    base.join("lib/modules").join(release)
}

/// Has depmod index modules under `base`, a new folder.
fn depmod(
    tools: &Tools,
    tree: &Path,
    release: &str,
    base: &Path,
    copying: Copying<'_>,
) -> anyhow::Result<()> {
    let indexes = indexes_of(base, release);
    fs::create_dir_all(&indexes).context("can't make depmod's folder")?;
    for name in KERNEL_LISTS {
        fs::copy(tree.join(name), indexes.join(name)).with_context(|| format!("can't copy {name}"))?;
    }
    match copying {
        Copying::Links => std::os::unix::fs::symlink(tree.join("kernel"), indexes.join("kernel"))
            .context("can't link the kernel's modules")?,
        Copying::These(files) => {
            for (path, content) in files {
                let path = indexes.join(path);
                fs::create_dir_all(path.parent().unwrap_or(base))
                    .context("can't make a folder of modules")?;
                fs::write(&path, content).with_context(|| format!("can't write {}", path.display()))?;
            }
        }
    }
    tools.run("usr/sbin/depmod", &["-b".as_ref(), base.as_os_str(), release.as_ref()])?;
    Ok(())
}

/// Which module needs which, as `modules.dep` of the whole kernel says.
struct Graph {
    /// A module's file, by its name.
    path_by_name: BTreeMap<String, String>,
    /// What a file needs, directly and indirectly.
    needs: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

impl Graph {
    fn parse(dep: &str, builtin: &str) -> Self {
        let mut graph = Self {
            path_by_name: BTreeMap::new(),
            needs: BTreeMap::new(),
            builtin: builtin.lines().map(name_of).collect(),
        };
        for line in dep.lines() {
            if let Some((path, needs)) = line.split_once(':') {
                graph.path_by_name.insert(name_of(path), path.to_owned());
                graph.needs.insert(path.to_owned(), needs.split_whitespace().map(str::to_owned).collect());
            }
        }
        graph
    }

    /// The files of these modules and of all that they need.
    fn closure(&self, rows: &[Module]) -> anyhow::Result<BTreeSet<String>> {
        let mut files = BTreeSet::new();
        for row in rows {
            files.extend(self.files_of(row)?);
        }
        Ok(files)
    }

    fn files_of(&self, row: &Module) -> anyhow::Result<Vec<String>> {
        let Some(path) = self.path_by_name.get(&normalized(row.name)) else {
            if self.builtin.contains(&normalized(row.name)) {
                bail!("the kernel has the module {} built in: take its row out of the table", row.name);
            }
            bail!("the kernel's package has no module {} ({}: {})", row.name, row.place.name(), row.why);
        };
        let mut files = vec![path.clone()];
        files.extend(self.needs.get(path).into_iter().flatten().cloned());
        Ok(files)
    }
}

/// `kernel/drivers/net/xen-netfront.ko.xz` is `xen_netfront`.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    normalized(file.split(".ko").next().unwrap_or(file))
}

fn normalized(name: &str) -> String {
    name.replace('-', "_")
}

/// A line for each place: how many files it adds to those before it, and their size.
fn tell_sizes(graph: &Graph, modules: &Files) -> anyhow::Result<()> {
    let mut counted = BTreeSet::new();
    let mut start = 0;
    while start < TABLE.len() {
        let place = TABLE[start].place;
        let rows = TABLE[start..].iter().take_while(|row| row.place == place).count();
        let (mut files, mut bytes) = (0, 0);
        for path in graph.closure(&TABLE[start..start + rows])? {
            let size = modules.get(&path).map_or(0, Vec::len) as u64;
            if counted.insert(path) {
                files += 1;
                bytes += size;
            }
        }
        say::line(format_args!("modules: {:<22}{files:>4} files {:>12}", place.name(), say::size(bytes)));
        start += rows;
    }
    let total: usize = modules.values().map(Vec::len).sum();
    say::line(format_args!(
        "modules: {:<22}{:>4} files {:>12}",
        "all",
        modules.len(),
        say::size(total as u64)
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::table::Place;

    const DEP: &str = "kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/jbd2/jbd2.ko.xz\n\
                       kernel/lib/crc16.ko.xz:\nkernel/fs/jbd2/jbd2.ko.xz:\nkernel/drivers/net/xen-netfront.ko.xz:\n";

    fn row(name: &'static str) -> Module {
        Module { name, place: Place::Everywhere, why: "a test" }
    }

    #[test]
    fn takes_what_a_module_needs_and_no_more() {
        let graph = Graph::parse(DEP, "");
        let files = graph.closure(&[row("ext4")]).expect("it is there");
        assert_eq!(files.len(), 3);
        assert!(!files.contains("kernel/drivers/net/xen-netfront.ko.xz"));
    }

    #[test]
    fn finds_a_module_by_either_spelling() {
        let graph = Graph::parse(DEP, "");
        assert_eq!(graph.closure(&[row("xen_netfront")]).expect("it is there").len(), 1);
        assert_eq!(graph.closure(&[row("xen-netfront")]).expect("it is there").len(), 1);
    }

    #[test]
    fn names_a_row_that_the_kernel_does_not_fulfil() {
        let graph = Graph::parse(DEP, "kernel/drivers/char/virtio_console.ko\n");
        let missing = graph.closure(&[row("vmxnet2")]).expect_err("no such driver").to_string();
        assert!(missing.contains("vmxnet2"), "{missing}");
        let builtin = graph.closure(&[row("virtio_console")]).expect_err("no module").to_string();
        assert!(builtin.contains("built in"), "{builtin}");
    }

    #[test]
    fn every_row_stands_once_beside_its_place_and_has_a_reason() {
        let mut names: Vec<_> = TABLE.iter().map(|row| normalized(row.name)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.is_sorted_by_key(|row| row.place));
        assert!(TABLE.iter().all(|row| !row.why.is_empty()));
    }
}
