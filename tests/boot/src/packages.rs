//! Debian's packages, unpacked and not installed: the kernel, the programs and the libraries that the small systems
//! around the appliance are made of (`tools/need boot` puts them there).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Archive;
use crate::disk::run;

/// Where libraries lie in a tree of packages.
const LIBRARIES: [&str; 3] =
    ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/xen-4.17/lib/x86_64-linux-gnu"];

/// A tree of unpacked packages.
#[derive(Debug)]
pub struct Packages(PathBuf);

impl Packages {
    /// Those that were fetched for the boot tests; `WEIR_BOOT_PACKAGES` names another folder.
    ///
    /// # Panics
    /// When there are none.
    pub fn find() -> Self {
        let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/boot/root");
        let folder = std::env::var_os("WEIR_BOOT_PACKAGES").map_or(usual, PathBuf::from);
        let folder = folder.canonicalize();
        Self(
            folder
                .unwrap_or_else(|error| panic!("no unpacked packages ({error}); `make test-boot` gets them")),
        )
    }

    /// This machine itself.
    pub fn installed() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A file.
    ///
    /// # Panics
    /// When it is not there.
    pub fn file(&self, path: &str) -> PathBuf {
        let file = self.0.join(path);
        assert!(file.exists(), "{} is missing", file.display());
        file
    }

    /// The kernel.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn kernel(&self) -> PathBuf {
        self.file(&format!("boot/vmlinuz-{}", self.release()))
    }

    fn release(&self) -> String {
        let folder = self.file("lib/modules");
        let mut releases = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let release = releases.next().expect("a kernel's modules").into_string().unwrap();
        assert_eq!(releases.next(), None, "more than one kernel");
        release
    }

    /// Adds programs below `bin/` with their libraries below `lib/`.
    #[must_use]
    pub fn add_programs(&self, mut archive: Archive, programs: &[&str]) -> Archive {
        let mut wanted: Vec<PathBuf> = programs.iter().map(|program| self.file(program)).collect();
        // Opened when a thread is cancelled, and named by nobody.
        let unwinder = self.library("libgcc_s.so.1");
        archive = archive.program_from("lib/libgcc_s.so.1", &unwinder);
        let mut seen = BTreeSet::from(["libgcc_s.so.1".to_owned()]);
        for program in &wanted {
            let name = program.file_name().unwrap().to_str().unwrap();
            archive = archive.program_from(&format!("bin/{name}"), program);
        }
        while let Some(file) = wanted.pop() {
            for name in needed(&file) {
                if seen.insert(name.clone()) {
                    let library = self.library(&name);
                    archive = archive.program_from(&format!("lib/{name}"), &library);
                    wanted.push(library);
                }
            }
        }
        // Where programs say that their loader is.
        archive.link("lib64", "lib")
    }

    /// Adds kernel modules, what they depend on before them, and the order in `modules`: one path a line.
    ///
    /// # Panics
    /// When there is no such module.
    #[must_use]
    pub fn add_modules(&self, mut archive: Archive, names: &[&str]) -> Archive {
        let release = self.release();
        let folder = self.file(&format!("lib/modules/{release}"));
        let list = folder.join("modules.dep");
        if !list.exists() {
            run(Command::new("/usr/sbin/depmod").arg("-b").arg(&self.0).arg(&release));
        }
        let dependencies = std::fs::read_to_string(list).unwrap();
        let mut order: Vec<&str> = Vec::new();
        for name in names {
            let file = format!("/{name}.ko.xz:");
            let line = dependencies.lines().find(|line| line.contains(&file));
            let (module, needs) =
                line.and_then(|line| line.split_once(':')).unwrap_or_else(|| panic!("no module {name}"));
            // depmod lists what is needed from the nearest to the farthest.
            for path in needs.split_whitespace().rev().chain([module]) {
                if !order.contains(&path) {
                    order.push(path);
                }
            }
        }
        let mut paths = String::new();
        for path in order {
            let name = path.rsplit('/').next().unwrap().trim_end_matches(".xz");
            let output = Command::new("xz")
                .args(["--decompress", "--stdout"])
                .arg(folder.join(path))
                .output()
                .unwrap();
            assert!(output.status.success(), "xz on {path}");
            archive = archive.file(&format!("modules.d/{name}"), output.stdout);
            paths.push_str(&format!("/modules.d/{name}\n"));
        }
        archive.file("modules", paths)
    }

    fn library(&self, name: &str) -> PathBuf {
        let places = LIBRARIES.iter().map(|folder| self.0.join(folder).join(name));
        places.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name} is in no package"))
    }
}

/// The libraries that a program or library names, its loader among them.
fn needed(file: &Path) -> Vec<String> {
    let said = run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(file));
    let shared = said.lines().filter(|line| line.contains("(NEEDED)"));
    let names = shared.filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned()));
    names.collect()
}
