//! What started the machine.

use std::io::Read;

use super::hypervisor::Hypervisor;
use super::tree::Tree;

/// What started the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Firmware {
    Bios,
    Uefi,
    /// It started only what is signed.
    UefiSecureBoot,
    /// The hypervisor started the kernel by itself.
    None,
}

pub(super) const ALL: [Firmware; 4] =
    [Firmware::Bios, Firmware::Uefi, Firmware::UefiSecureBoot, Firmware::None];

impl Firmware {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bios => "BIOS",
            Self::Uefi => "UEFI",
            Self::UefiSecureBoot => "UEFI with Secure Boot",
            Self::None => "none",
        }
    }
}

/// UEFI 2.10 section 3.3, in efivarfs: four bytes of attributes, then 1 where Secure Boot is enforced.
const SECURE_BOOT: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

pub(super) fn detect(tree: &Tree, hypervisor: Hypervisor) -> Firmware {
    if tree.exists("sys/firmware/efi") {
        return if secure_boot(tree) { Firmware::UefiSecureBoot } else { Firmware::Uefi };
    }
    match hypervisor {
        Hypervisor::XenPv | Hypervisor::XenPvh => Firmware::None,
        Hypervisor::Kvm
        | Hypervisor::VMware
        | Hypervisor::HyperV
        | Hypervisor::XenHvm
        | Hypervisor::VirtualBox
        | Hypervisor::Tcg
        | Hypervisor::Bhyve
        | Hypervisor::Parallels
        | Hypervisor::Other
        | Hypervisor::None => {
            // A BIOS leaves its tables (SMBIOS) behind; Firecracker and its like have none.
            if tree.exists("sys/class/dmi/id/bios_vendor") { Firmware::Bios } else { Firmware::None }
        }
    }
}

fn secure_boot(tree: &Tree) -> bool {
    let mut variable = [0; 5];
    let read = std::fs::File::open(tree.at(SECURE_BOOT)).and_then(|mut file| file.read_exact(&mut variable));
    // Without efivarfs, the kernel's own consequence is left to look at.
    match read {
        Ok(()) => variable[4] == 1,
        Err(_) => tree.text("sys/kernel/security/lockdown").is_some_and(|text| !text.contains("[none]")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::Machine;
    use super::*;

    #[test]
    fn what_is_left_behind_tells() {
        let machine = Machine::new();
        assert_eq!(detect(&machine.0, Hypervisor::Kvm), Firmware::None);
        machine.file("sys/class/dmi/id/bios_vendor", "SeaBIOS\n");
        assert_eq!(detect(&machine.0, Hypervisor::Kvm), Firmware::Bios);
        assert_eq!(detect(&machine.0, Hypervisor::XenPv), Firmware::None);
        machine.folder("sys/firmware/efi");
        assert_eq!(detect(&machine.0, Hypervisor::Kvm), Firmware::Uefi);
        machine.file(SECURE_BOOT, [6, 0, 0, 0, 0]);
        assert_eq!(detect(&machine.0, Hypervisor::Kvm), Firmware::Uefi);
        machine.file(SECURE_BOOT, [6, 0, 0, 0, 1]);
        assert_eq!(detect(&machine.0, Hypervisor::HyperV), Firmware::UefiSecureBoot);
    }

    #[test]
    fn without_the_variables_the_lockdown_tells() {
        let machine = Machine::new();
        machine
            .folder("sys/firmware/efi")
            .file("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        assert_eq!(detect(&machine.0, Hypervisor::Tcg), Firmware::UefiSecureBoot);
        machine.file("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        assert_eq!(detect(&machine.0, Hypervisor::Tcg), Firmware::Uefi);
    }
}
