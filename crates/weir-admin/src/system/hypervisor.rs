//! Which hypervisor the machine runs on.
//!
//! Four witnesses are asked in the order in which they can be believed: Xen's own files, the firmware's names (a
//! VirtualBox says of itself in CPUID that it is KVM), CPUID, and the clocks that the kernel found.

use super::tree::Tree;

/// What the machine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hypervisor {
    Kvm,
    VMware,
    HyperV,
    XenPv,
    XenHvm,
    XenPvh,
    VirtualBox,
    /// QEMU that computes the processor.
    Tcg,
    Bhyve,
    Parallels,
    /// One that is none of these.
    Other,
    /// The machine itself.
    None,
}

pub(super) const ALL: [Hypervisor; 12] = [
    Hypervisor::Kvm,
    Hypervisor::VMware,
    Hypervisor::HyperV,
    Hypervisor::XenPv,
    Hypervisor::XenHvm,
    Hypervisor::XenPvh,
    Hypervisor::VirtualBox,
    Hypervisor::Tcg,
    Hypervisor::Bhyve,
    Hypervisor::Parallels,
    Hypervisor::Other,
    Hypervisor::None,
];

impl Hypervisor {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::VMware => "VMware",
            Self::HyperV => "Microsoft Hyper-V",
            Self::XenPv => "Xen PV",
            Self::XenHvm => "Xen HVM",
            Self::XenPvh => "Xen PVH",
            Self::VirtualBox => "VirtualBox",
            Self::Tcg => "QEMU (TCG)",
            Self::Bhyve => "bhyve",
            Self::Parallels => "Parallels",
            Self::Other => "unknown",
            Self::None => "none",
        }
    }
}

/// What a hypervisor calls itself in CPUID.
pub(super) type Signature = [u8; 12];

/// Signatures, and who has them. Those further down are more telling: with Hyper-V's interface offered to its guests
/// (`hv-*` of QEMU, viridian of Xen), a hypervisor has that one first and its own after it.
const SIGNATURES: &[(&Signature, Hypervisor)] = &[
    (b"Microsoft Hv", Hypervisor::HyperV),
    (b"KVMKVMKVM\0\0\0", Hypervisor::Kvm),
    (b"TCGTCGTCGTCG", Hypervisor::Tcg),
    (b"XenVMMXenVMM", Hypervisor::XenHvm),
    (b"VMwareVMware", Hypervisor::VMware),
    (b"VBoxVBoxVBox", Hypervisor::VirtualBox),
    (b"bhyve bhyve ", Hypervisor::Bhyve),
    (b"prl hyperv  ", Hypervisor::Parallels),
];

/// Names in /sys/class/dmi/id, and whose they are. QEMU's say nothing of whether KVM helps it.
const NAMES: &[(&str, &str, Hypervisor)] = &[
    ("product_name", "VirtualBox", Hypervisor::VirtualBox),
    ("sys_vendor", "VMware, Inc.", Hypervisor::VMware),
    ("sys_vendor", "Parallels", Hypervisor::Parallels),
    ("sys_vendor", "BHYVE", Hypervisor::Bhyve),
];

/// Clocks that only guests have, for machines whose processor has no CPUID.
const CLOCKS: &[(&str, Hypervisor)] =
    &[("kvm-clock", Hypervisor::Kvm), ("hyperv_clocksource", Hypervisor::HyperV)];

/// What the hypervisors beneath this process call themselves; empty on bare metal.
pub(super) fn signatures() -> Vec<Signature> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        /// Bit 31 of ECX of leaf 1: there is a hypervisor.
        const PRESENT: u32 = 1 << 31;
        if __cpuid(1).ecx & PRESENT == 0 {
            return Vec::new();
        }
        // Each interface that is offered has 256 leaves of its own; no known hypervisor offers more than two.
        let leaves = (0..4).map(|index| 0x4000_0000 + index * 0x100);
        let signatures = leaves.map(|leaf| {
            let result = __cpuid(leaf);
            let mut signature = [0; 12];
            for (part, register) in signature.chunks_exact_mut(4).zip([result.ebx, result.ecx, result.edx]) {
                part.copy_from_slice(&register.to_le_bytes());
            }
            signature
        });
        signatures.collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

/// Puts the witnesses together; `signatures` is what [`signatures`] gave.
pub(super) fn detect(tree: &Tree, signatures: &[Signature]) -> Hypervisor {
    if tree.text("sys/hypervisor/type").as_deref() == Some("xen") {
        return match tree.text("sys/hypervisor/guest_type").as_deref() {
            Some("PV") => Hypervisor::XenPv,
            Some("PVH") => Hypervisor::XenPvh,
            Some(_) | None => Hypervisor::XenHvm,
        };
    }
    let named = NAMES.iter().find(|(file, name, _)| {
        tree.text(format!("sys/class/dmi/id/{file}")).is_some_and(|text| text.starts_with(name))
    });
    if let Some((_, _, hypervisor)) = named {
        return *hypervisor;
    }
    let known = SIGNATURES.iter().rev().find(|(signature, _)| signatures.contains(signature));
    if let Some((_, hypervisor)) = known {
        return *hypervisor;
    }
    let clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource";
    let clocks = tree.text(clocks).unwrap_or_default();
    if let Some((_, hypervisor)) = CLOCKS.iter().find(|(clock, _)| clocks.split(' ').any(|one| one == *clock))
    {
        return *hypervisor;
    }
    if tree.text("sys/class/dmi/id/sys_vendor").as_deref() == Some("QEMU") {
        return Hypervisor::Tcg;
    }
    if signatures.is_empty() { Hypervisor::None } else { Hypervisor::Other }
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::Machine;
    use super::*;

    #[track_caller]
    fn detected(machine: &Machine, signatures: &[&Signature], expected: Hypervisor) {
        let signatures: Vec<_> = signatures.iter().map(|signature| **signature).collect();
        assert_eq!(detect(&machine.0, &signatures), expected);
    }

    #[test]
    fn the_processor_tells_most() {
        let bare = Machine::new();
        detected(&bare, &[], Hypervisor::None);
        detected(&bare, &[b"KVMKVMKVM\0\0\0"], Hypervisor::Kvm);
        detected(&bare, &[b"TCGTCGTCGTCG"], Hypervisor::Tcg);
        detected(&bare, &[b"Microsoft Hv"], Hypervisor::HyperV);
        detected(&bare, &[b"VMwareVMware"], Hypervisor::VMware);
        detected(&bare, &[b"new and odd "], Hypervisor::Other);
    }

    #[test]
    fn who_offers_the_interface_of_hyper_v_is_not_taken_for_it() {
        let machine = Machine::new();
        detected(&machine, &[b"Microsoft Hv", b"KVMKVMKVM\0\0\0"], Hypervisor::Kvm);
        detected(&machine, &[b"Microsoft Hv", b"XenVMMXenVMM"], Hypervisor::XenHvm);
    }

    #[test]
    fn xen_says_which_kind_of_guest() {
        for (word, expected) in
            [("PV", Hypervisor::XenPv), ("HVM", Hypervisor::XenHvm), ("PVH", Hypervisor::XenPvh)]
        {
            let machine = Machine::new();
            machine
                .file("sys/hypervisor/type", "xen\n")
                .file("sys/hypervisor/guest_type", format!("{word}\n"));
            // CPUID of a PV guest is the host's own.
            detected(&machine, &[b"KVMKVMKVM\0\0\0"], expected);
        }
    }

    #[test]
    fn a_virtualbox_that_says_it_is_kvm_is_known_by_its_name() {
        let machine = Machine::new();
        machine.file("sys/class/dmi/id/product_name", "VirtualBox\n");
        detected(&machine, &[b"KVMKVMKVM\0\0\0"], Hypervisor::VirtualBox);
    }

    #[test]
    fn clocks_tell_where_the_processor_does_not() {
        let clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource";
        let machine = Machine::new();
        machine.file("sys/class/dmi/id/sys_vendor", "QEMU\n");
        detected(&machine, &[], Hypervisor::Tcg);
        machine.file(clocks, "arch_sys_counter kvm-clock\n");
        detected(&machine, &[], Hypervisor::Kvm);
    }
}
