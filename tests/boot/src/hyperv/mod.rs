//! As much of Hyper-V as there is without Windows: an emulated machine whose kernel is a hypervisor itself (KVM), and
//! in it QEMU with Hyper-V's interfaces switched on and its bus, VMBus, attached.
//!
//! A guest detects Hyper-V there, negotiates VMBus' version, and is offered one device (the memory balloon). QEMU has
//! no network card and no disk for that bus, so the guest's card is the "legacy" one and its data paths over VMBus
//! stay untried.

use std::path::Path;
use std::process::Command;

use weir_tests::Directory;

use crate::disk::run;
use crate::{Archive, Machine, Nic, Packages, Plan};

/// For the host within: the hypervisor, a bridge, and what QEMU gives it.
const MODULES: [&str; 4] = ["kvm-amd", "virtio_net", "bridge", "tun"];

/// Firmware that QEMU wants where a kernel is started directly.
const FIRMWARE: [&str; 5] = [
    "usr/share/seabios/bios-256k.bin",
    "usr/share/qemu/linuxboot_dma.bin",
    "usr/share/qemu/kvmvapic.bin",
    "usr/share/seabios/vgabios-stdvga.bin",
    "usr/share/qemu/linuxboot.bin",
];

/// A host within that is up, with a guest that is not.
#[derive(Debug)]
pub struct Host {
    /// The machine that it runs on.
    pub machine: Machine,
    _directory: Directory,
}

impl Host {
    /// Starts the host with what the guest is to start, and the guest's configuration file of Weir.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(kernel: &Path, initramfs: &Path, config: &str) -> Self {
        let (packages, here) = (Packages::find(), Packages::installed());
        let directory = Directory::new();
        let mut archive = Archive::new()
            .program_from("bin/busybox", &packages.file("bin/busybox"))
            .program("init", include_str!("host-init"))
            .program("start-guest", include_str!("start-guest"))
            .file("weir.yaml", config)
            .program_from("guest/kernel", kernel)
            .program_from("guest/initramfs", initramfs);
        for file in FIRMWARE {
            let name = file.rsplit('/').next().unwrap();
            archive = archive.program_from(&format!("firmware/{name}"), &here.file(file));
        }
        archive = here.add_programs(archive, &["usr/bin/qemu-system-x86_64"]);
        archive = packages.add_modules(archive, &MODULES);
        let file = directory.file("host");
        std::fs::write(&file, archive.finish()).unwrap();
        run(Command::new("gzip").arg("-1n").arg(&file));

        let plan = Plan::bare().nic(Nic::Virtio).memory(1536);
        let words = "console=ttyS0,115200 panic=10";
        let machine = plan.kernel(&packages.kernel(), &directory.file("host.gz"), words).start();
        machine.console.line("HOST UP");
        Self { machine, _directory: directory }
    }

    /// Switches the guest on; what it says on its console appears on the host's.
    ///
    /// # Panics
    /// When QEMU within does not start.
    #[track_caller]
    pub fn create(&mut self) {
        self.machine.shell("/start-guest");
    }

    /// Presses the guest's power button, and waits until it is off.
    ///
    /// # Panics
    /// When it stays on.
    #[track_caller]
    pub fn shut_down(&mut self) {
        self.machine.shell("echo system_powerdown | nc 127.0.0.1 4444 >/dev/null; while pidof qemu-system-x86_64; do sleep 1; done");
    }
}
