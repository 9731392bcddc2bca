//! A real Xen in an emulated machine: Debian's hypervisor, a small domain 0 of Debian's kernel and Xen's own tools, and
//! the appliance as a paravirtualized guest.
//!
//! Domain 0 has no address of its own: it bridges its card and the guest's, so that the guest is the one that QEMU's
//! network gives an address and forwards ports to, as everywhere else. Its console is a shell, to which a test types,
//! and which also shows what the guest says on its own console.

use std::path::{Path, PathBuf};
use std::process::Command;

use weir_tests::Directory;

use crate::disk::run;
use crate::{Archive, Disk, Machine, Nic, Packages, Plan};

/// Xen's own, from their packages.
const PROGRAMS: [&str; 10] = [
    "usr/lib/xen-4.17/bin/xl",
    "usr/lib/xen-4.17/bin/libxl-save-helper",
    "usr/lib/xen-4.17/bin/xenconsoled",
    "usr/lib/xen-4.17/bin/xen-init-dom0",
    "usr/lib/xen-4.17/bin/xenstored",
    "usr/bin/xenstore-read",
    "usr/bin/xenstore-write",
    "usr/bin/xenstore-ls",
    "usr/bin/xenstore-chmod",
    "usr/bin/xenstore-list",
];

/// For domain 0: Xen's interfaces, the backends, the bridge, and what QEMU gives it.
const MODULES: [&str; 15] = [
    "xen-privcmd",
    "xenfs",
    "xen-evtchn",
    "xen-gntdev",
    "xen-gntalloc",
    "xen-netback",
    "xen-blkback",
    "bridge",
    "e1000",
    "virtio_net",
    "crc32c_generic",
    "ata_piix",
    "ahci",
    "sd_mod",
    "loop",
];

/// How the guest is started.
#[derive(Debug, Clone)]
pub enum Loader {
    /// Kernel and initramfs out of domain 0.
    Direct {
        /// The kernel.
        kernel: PathBuf,
        /// The initramfs.
        initramfs: PathBuf,
    },
    /// GRUB for Xen, which reads the guest's disk.
    Grub,
}

/// What Xen is told at its start.
const WORDS: &str = "console=com1 dom0_mem=1024M,max:1024M loglvl=warning xsave=0";

/// The guest, and what it starts from.
#[derive(Debug)]
pub struct Guest<'g> {
    /// Whether it has the machine's first disk.
    pub has_disk: bool,
    /// How it is started.
    pub loader: &'g Loader,
    /// The configuration file that is put into the store for it; without one, domain 0 makes it at once.
    pub config: Option<&'g str>,
    /// The address of its card.
    pub mac: &'g str,
    /// Its number, if it is to have a certain one.
    pub uuid: Option<&'g str>,
}

/// What QEMU starts Xen, domain 0 and its guest from.
#[derive(Debug)]
pub struct Boot {
    /// The hypervisor, which it takes for a kernel.
    pub hypervisor: PathBuf,
    /// Domain 0's kernel with its words, and its initramfs.
    pub modules: String,
    /// What Xen is told.
    pub words: &'static str,
}

impl Boot {
    /// Puts the files into a folder.
    ///
    /// # Panics
    /// When packages are missing.
    pub fn write(folder: &Path, guest: &Guest<'_>) -> Self {
        let packages = Packages::find();
        let hypervisor = folder.join("xen");
        let unpacked =
            Command::new("gzip").arg("-dc").arg(packages.file("boot/xen-4.17-amd64.gz")).output().unwrap();
        std::fs::write(&hypervisor, unpacked.stdout).unwrap();
        let initramfs = folder.join("dom0");
        std::fs::write(&initramfs, domain0(&packages, guest)).unwrap();
        run(Command::new("gzip").arg("-1nf").arg(&initramfs));
        let modules = format!("{} console=hvc0,{}.gz", packages.kernel().display(), initramfs.display());
        Self { hypervisor, modules, words: WORDS }
    }
}

/// A Xen host that is up, with a guest that is not.
#[derive(Debug)]
pub struct Host {
    /// The machine that it runs on.
    pub machine: Machine,
    directory: Directory,
}

impl Host {
    /// Starts Xen and domain 0 with a disk that the guest may have, and the guest's configuration file of Weir.
    ///
    /// # Panics
    /// When domain 0 does not come up.
    pub fn start(disk: Option<&Path>, loader: &Loader, config: &str) -> Self {
        let directory = Directory::new();
        let guest = Guest {
            has_disk: disk.is_some(),
            loader,
            config: Some(config),
            mac: "00:16:3e:00:00:01",
            uuid: None,
        };
        let Boot { hypervisor, modules, words } = Boot::write(directory.path(), &guest);
        let mut plan = Plan::bare().nic(Nic::E1000).memory(2048).disk(Disk::Ide);
        plan = plan.kernel(&hypervisor, Path::new(&modules), words);
        if let Some(disk) = disk {
            plan = plan.medium(disk, "raw");
        }
        let machine = plan.start();
        machine.console.line("DOM0 UP");
        Self { machine, directory }
    }

    /// Makes the guest, with its first-boot data in the store before it runs.
    ///
    /// # Panics
    /// When Xen's tools fail.
    #[track_caller]
    pub fn create(&mut self) {
        self.machine.shell("/create-guest");
    }

    /// Asks the guest to shut down, and waits until it is gone.
    ///
    /// # Panics
    /// When it stays.
    #[track_caller]
    pub fn shut_down(&mut self) {
        self.machine.shell("xl shutdown -w weir");
    }

    /// The folder of this host's files.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}

fn domain0(packages: &Packages, guest: &Guest<'_>) -> Vec<u8> {
    let mut archive = Archive::new()
        .program_from("bin/busybox", &packages.file("bin/busybox"))
        .program("init", include_str!("domain0-init"))
        .program("create-guest", include_str!("create-guest"))
        .program("etc/xen/scripts/vif", include_str!("vif"))
        .program("etc/xen/scripts/block", include_str!("block"))
        .file("guest.cfg", description(guest));
    archive = match guest.config {
        Some(config) => archive.file("weir.yaml", config),
        None => archive.file("start", ""),
    };
    archive = match guest.loader {
        Loader::Direct { kernel, initramfs } => {
            archive.program_from("guest/kernel", kernel).program_from("guest/initramfs", initramfs)
        }
        Loader::Grub => {
            archive.program_from("guest/kernel", &packages.file("usr/lib/grub-xen/grub-x86_64-xen.bin"))
        }
    };
    archive = packages.add_programs(archive, &PROGRAMS);
    packages.add_modules(archive, &MODULES).finish()
}

/// The guest as xl's file has it.
fn description(guest: &Guest<'_>) -> String {
    let Guest { has_disk, loader, config: _, mac, uuid } = guest;
    let boot = match loader {
        Loader::Direct { .. } => "ramdisk=\"/guest/initramfs\"\nextra=\"console=hvc0 panic=10\"\n",
        Loader::Grub => "",
    };
    let disk = if *has_disk {
        "disk=['format=raw,vdev=xvda,access=rw,backendtype=phy,script=/etc/xen/scripts/block,target=/dev/sda']\n"
    } else {
        ""
    };
    let uuid = uuid.map_or(String::new(), |uuid| format!("uuid=\"{uuid}\"\n"));
    format!(
        "name=\"weir\"\ntype=\"pv\"\nmemory=300\nvcpus=1\nkernel=\"/guest/kernel\"\n{boot}{disk}{uuid}\
         vif=['mac={mac},script=/etc/xen/scripts/vif']\n\
         on_poweroff=\"destroy\"\non_reboot=\"restart\"\non_crash=\"destroy\"\n"
    )
}
