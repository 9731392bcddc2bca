//! How the disk is laid out: which partition lies where, and the fixed identities of everything that has one.
//!
//! Invariant: partitions begin and end on whole MiB, and the size of the disk is a multiple of 126 MiB, so that the
//! cylinders that a VHD counts in give exactly the size that all other formats have. Identities are constants
//! because random ones would make each build another; no two appliances are told apart by them.

/// 1 MiB.
pub(crate) const MIB: u64 = 1 << 20;
/// Of all formats alike.
pub(crate) const SECTOR: u64 = 512;
/// 4 × 126 MiB, the least common multiple of 2 MiB and a cylinder of 16 heads and 63 sectors.
pub(crate) const DISK_SIZE: u64 = 504 * MIB;

/// Of the partition table.
pub(crate) const DISK_UUID: &str = "57454952-0000-4000-8000-000000000000";
/// Both slots' file system: the same, because both hold the same bytes, and an update may go to either.
pub(crate) const SLOT_UUID: &str = "57454952-0000-4000-8000-0000000000f5";
/// STATE's file system.
pub(crate) const STATE_UUID: &str = "57454952-0000-4000-8000-0000000000f6";
/// What ext4 hashes names in directories with.
pub(crate) const HASH_SEED: &str = "57454952-0000-4000-8000-0000000000f7";
/// FAT's serial number.
pub(crate) const ESP_SERIAL: &str = "57454952";

/// One partition.
pub(crate) struct Partition {
    /// Its GPT name: what `weir init` finds it by.
    pub(crate) name: &'static str,
    /// GPT type.
    pub(crate) kind: &'static str,
    /// GPT unique identity.
    pub(crate) uuid: &'static str,
    /// Where it begins, in MiB.
    pub(crate) start: u64,
    /// How long it is, in MiB.
    pub(crate) size: u64,
}

impl Partition {
    /// In bytes from the start of the disk.
    pub(crate) fn offset(&self) -> u64 {
        self.start * MIB
    }

    /// In bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.size * MIB
    }
}

const LINUX_DATA: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

/// GRUB's core for BIOS: it has no file system to be read from yet.
pub(crate) const BIOS: Partition = Partition {
    name: "BIOS",
    kind: "21686148-6449-6E6F-744E-656564454649",
    uuid: "57454952-0000-4000-8000-000000000001",
    start: 1,
    size: 1,
};
/// The EFI system partition: shim, GRUB, and for every firmware grub.cfg and grubenv. FAT32 needs 33 MiB.
pub(crate) const ESP: Partition = Partition {
    name: "ESP",
    kind: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    uuid: "57454952-0000-4000-8000-000000000002",
    start: 2,
    size: 64,
};
/// The first system. Less than 128 MiB, so that zstd, without being asked for a larger window, finds the second one to
/// be its copy.
pub(crate) const SLOT_A: Partition = Partition {
    name: "SLOT-A",
    kind: LINUX_DATA,
    uuid: "57454952-0000-4000-8000-000000000003",
    start: 66,
    size: 120,
};
/// The second system.
pub(crate) const SLOT_B: Partition = Partition {
    name: "SLOT-B",
    kind: LINUX_DATA,
    uuid: "57454952-0000-4000-8000-000000000004",
    start: 186,
    size: 120,
};
/// What the owner and the appliance write. The last one, so that its owner can make it larger, on another machine; the
/// appliance does not. What stays free behind it is for the table's copy at the end of the disk.
pub(crate) const STATE: Partition = Partition {
    name: "STATE",
    kind: LINUX_DATA,
    uuid: "57454952-0000-4000-8000-000000000005",
    start: 306,
    size: 197,
};

/// In the order in which they lie.
pub(crate) const PARTITIONS: [&Partition; 5] = [&BIOS, &ESP, &SLOT_A, &SLOT_B, &STATE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_each_other_and_fit_on_the_disk() {
        let mut end = 1;
        for partition in PARTITIONS {
            assert_eq!(partition.start, end, "{}", partition.name);
            end += partition.size;
        }
        assert_eq!(end * MIB, DISK_SIZE - MIB, "the last MiB is for the table's copy");
    }

    #[test]
    fn cylinders_give_the_exact_size() {
        assert_eq!(DISK_SIZE % (16 * 63 * SECTOR), 0);
    }
}
