//! The kernel's file systems, and the ones in memory: one table, each row with its reason.

use rustix::mount::{MountFlags, mount};

struct Mount {
    kind: &'static str,
    at: &'static str,
    flags: MountFlags,
    options: &'static std::ffi::CStr,
}

const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

const TABLE: &[Mount] = &[
    // /proc/sys, /proc/cmdline, /proc/self/exe.
    Mount { kind: "proc", at: "/proc", flags: SAFE, options: c"" },
    // Devices, their modaliases and partitions; what the dashboard tells of the machine.
    Mount { kind: "sysfs", at: "/sys", flags: SAFE, options: c"" },
    // The kernel makes the nodes of devices itself; nobody here makes any.
    Mount {
        kind: "devtmpfs",
        at: "/dev",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        options: c"mode=0755,size=1m",
    },
    // Our status, resolv.conf, the socket on which the child tells that it lives.
    Mount { kind: "tmpfs", at: "/run", flags: SAFE, options: c"mode=0755,size=8m" },
    // For whatever a library thinks it needs.
    Mount { kind: "tmpfs", at: "/tmp", flags: SAFE, options: c"mode=1777,size=8m" },
];

/// Mounts them all. What can't be mounted is returned as text: the boot goes on without.
pub(crate) fn mount_all() -> Vec<String> {
    let mut faults = Vec::new();
    for row in TABLE {
        let made = std::fs::create_dir_all(row.at);
        let mounted = mount(row.kind, row.at, row.kind, row.flags, row.options);
        match mounted {
            // Busy: the kernel, or whoever started us, did it.
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => faults.push(format!("{} not mounted: {error}{}", row.at, because(&made))),
        }
    }
    faults
}

fn because(made: &std::io::Result<()>) -> String {
    made.as_ref().err().map_or_else(String::new, |error| format!(" (no mount point: {error})"))
}
