//! What depmod wrote down about the modules on board: their files, what each needs, what it wants loaded before and after.
//!
//! Pure: text in, an order out. A module that is built into the kernel needs nothing.

use std::collections::{HashMap, HashSet};

use super::alias::Aliases;

/// How deep what a module needs may go; a circle in the files ends here.
const DEPTH_MAX: usize = 32;

/// The texts of depmod's files.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) alias: String,
    pub(crate) dep: String,
    pub(crate) softdep: String,
    pub(crate) builtin: String,
}

/// The modules on board.
#[derive(Debug, Default)]
pub(crate) struct Index {
    aliases: Aliases,
    modules: HashMap<Box<str>, Module>,
    builtin: HashSet<Box<str>>,
}

#[derive(Debug, Default)]
struct Module {
    /// Beneath `/lib/modules/RELEASE`.
    path: Box<str>,
    needs: Vec<Box<str>>,
    /// Names or aliases that may be missing.
    before: Vec<Box<str>>,
    after: Vec<Box<str>>,
}

/// One file to hand to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: &'a str,
}

impl Index {
    pub(crate) fn parse(texts: &Texts) -> Self {
        let mut modules = HashMap::new();
        for line in texts.dep.lines() {
            let Some((path, needs)) = line.split_once(':') else { continue };
            let needs = needs.split_whitespace().map(name_of).collect();
            modules.insert(name_of(path), Module { path: path.into(), needs, ..Module::default() });
        }
        for line in texts.softdep.lines() {
            soften(&mut modules, line);
        }
        let builtin = texts.builtin.lines().map(name_of).collect();
        Self { aliases: Aliases::parse(&texts.alias), modules, builtin }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.modules.len()
    }

    /// The modules for what the kernel asks for: a device's modalias, `fs-ext4`, or a module's own name.
    pub(crate) fn resolve<'a>(&'a self, wanted: &'a str) -> Vec<&'a str> {
        let name = super::canonical(wanted);
        match self.modules.get_key_value(&*name) {
            Some((name, _)) => vec![name],
            None if self.builtin.contains(&*name) => Vec::new(),
            None => self.aliases.modules_for(wanted),
        }
    }

    /// The files for `module`, what it needs first, without those that `loaded` has.
    pub(crate) fn order<'a>(&'a self, module: &str, loaded: &HashSet<Box<str>>) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        let mut seen = HashSet::new();
        self.add(module, loaded, &mut seen, &mut steps, 0);
        steps
    }

    fn add<'a>(
        &'a self,
        wanted: &str,
        loaded: &HashSet<Box<str>>,
        seen: &mut HashSet<&'a str>,
        steps: &mut Vec<Step<'a>>,
        depth: usize,
    ) {
        let Some((name, module)) = self.modules.get_key_value(wanted) else { return };
        if depth > DEPTH_MAX || loaded.contains(name) || !seen.insert(name) {
            return;
        }
        let soft = |wishes: &'a [Box<str>]| wishes.iter().flat_map(|wish| self.resolve(wish));
        for before in soft(&module.before).chain(module.needs.iter().map(|need| &**need)) {
            self.add(before, loaded, seen, steps, depth + 1);
        }
        steps.push(Step { name, path: &module.path });
        for after in soft(&module.after) {
            self.add(after, loaded, seen, steps, depth + 1);
        }
    }
}

/// `softdep NAME pre: A B post: C`.
fn soften(modules: &mut HashMap<Box<str>, Module>, line: &str) {
    let mut words = line.split_whitespace();
    let (Some("softdep"), Some(name)) = (words.next(), words.next()) else { return };
    let Some(module) = modules.get_mut(&*super::canonical(name)) else { return };
    let mut list = &mut module.before;
    for word in words {
        match word {
            "pre:" => list = &mut module.before,
            "post:" => list = &mut module.after,
            name => list.push(name.into()),
        }
    }
}

/// `kernel/drivers/net/8139too.ko.xz` is `8139too`.
fn name_of(path: &str) -> Box<str> {
    let file = path.rsplit('/').next().unwrap_or(path);
    super::canonical(file.split_once(".ko").map_or(file, |(name, _)| name)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        Index::parse(&Texts {
            alias: "alias virtio:d00000001v* virtio_net\nalias crypto-crc32c crc32c_generic\n".into(),
            dep: "kernel/net/core/failover.ko.xz:\n\
                  kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz\n\
                  kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz\n\
                  kernel/crypto/crc32c_generic.ko.xz:\n\
                  kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\n\
                  kernel/fs/jbd2/jbd2.ko.xz:\n\
                  kernel/circle-a.ko: kernel/circle-b.ko\n\
                  kernel/circle-b.ko: kernel/circle-a.ko\n\
                  kernel/r8169.ko.xz: \nkernel/realtek.ko.xz:\n"
                .into(),
            softdep: "softdep ext4 pre: crypto-crc32c\nsoftdep r8169 pre: missing post: realtek\n".into(),
            builtin: "kernel/drivers/virtio/virtio_pci.ko\n".into(),
        })
    }

    fn names(index: &Index, module: &str, loaded: &[&str]) -> Vec<String> {
        let loaded = loaded.iter().map(|&name| name.into()).collect();
        index.order(module, &loaded).iter().map(|step| step.name.to_owned()).collect()
    }

    #[test]
    fn what_a_module_needs_goes_first() {
        assert_eq!(names(&index(), "virtio_net", &[]), ["failover", "net_failover", "virtio_net"]);
        assert_eq!(index().order("jbd2", &HashSet::new())[0].path, "kernel/fs/jbd2/jbd2.ko.xz");
    }

    #[test]
    fn what_is_loaded_is_left_out() {
        assert_eq!(names(&index(), "virtio_net", &["failover"]), ["net_failover", "virtio_net"]);
        assert!(names(&index(), "virtio_net", &["virtio_net"]).is_empty());
    }

    #[test]
    fn soft_wishes_are_followed_where_they_can_be() {
        assert_eq!(names(&index(), "ext4", &[]), ["crc32c_generic", "jbd2", "ext4"]);
        assert_eq!(names(&index(), "r8169", &[]), ["r8169", "realtek"]);
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(names(&index(), "circle_a", &[]), ["circle_b", "circle_a"]);
    }

    #[test]
    fn the_kernel_asks_by_alias_by_name_and_with_hyphens() {
        let index = index();
        assert_eq!(index.resolve("virtio:d00000001v00001AF4"), ["virtio_net"]);
        assert_eq!(index.resolve("virtio-net"), ["virtio_net"]);
        assert!(index.resolve("virtio_pci").is_empty());
        assert!(index.resolve("pci:unknown").is_empty());
    }
}
