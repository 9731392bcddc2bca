//! The kernel's settings for a load balancer: one table, each row with its reason.

use std::path::Path;

struct Setting {
    /// Beneath `/proc/sys`.
    at: &'static str,
    value: Value,
    why: &'static str,
}

/// What is written.
enum Value {
    Is(&'static str),
    /// A thousandth of the memory times this, in KiB, between the two bounds.
    OfMemory {
        thousandths: u64,
        min_kib: u64,
        max_kib: u64,
    },
}

use Value::{Is, OfMemory};

const TABLE: &[Setting] = &[
    // What process 1 owes the machine.
    Setting {
        at: "kernel/printk",
        value: Is("4 4 1 7"),
        why: "errors alone on the consoles: the status stands there",
    },
    Setting {
        at: "kernel/panic",
        value: Is("10"),
        why: "a kernel that panics starts again, and counts as a failed try",
    },
    Setting {
        at: "kernel/panic_on_oops",
        value: Is("1"),
        why: "a kernel of which a part is gone serves no one well",
    },
    Setting {
        at: "kernel/modprobe",
        value: Is("/sbin/modprobe"),
        why: "ours, for what the kernel asks for by name",
    },
    Setting {
        at: "kernel/ctrl-alt-del",
        value: Is("0"),
        why: "the keys are a request to process 1, not a reset",
    },
    // Confinement: nobody here debugs, traces or loads a program into the kernel.
    Setting {
        at: "kernel/kptr_restrict",
        value: Is("2"),
        why: "addresses in the kernel are nobody's business",
    },
    Setting { at: "kernel/dmesg_restrict", value: Is("1"), why: "nor is its log the child's" },
    Setting { at: "kernel/unprivileged_bpf_disabled", value: Is("1"), why: "the child needs none" },
    Setting {
        at: "kernel/kexec_load_disabled",
        value: Is("1"),
        why: "the boot loader alone chooses the kernel",
    },
    Setting { at: "kernel/sysrq", value: Is("0"), why: "a console that others reach must not kill" },
    Setting {
        at: "user/max_user_namespaces",
        value: Is("0"),
        why: "a way to more rights that the child needs not",
    },
    Setting {
        at: "fs/protected_symlinks",
        value: Is("1"),
        why: "files that the child names are read by root",
    },
    Setting { at: "fs/protected_regular", value: Is("2"), why: "the same" },
    // Files: two for each session.
    Setting { at: "fs/file-max", value: Is("4194304"), why: "sessions are bounded by memory, not by this" },
    Setting { at: "fs/nr_open", value: Is("2097152"), why: "what the child's limit may be raised to" },
    // Connections that come in.
    Setting {
        at: "net/core/somaxconn",
        value: Is("65535"),
        why: "a burst of connections waits rather than being refused",
    },
    Setting {
        at: "net/ipv4/tcp_max_syn_backlog",
        value: Is("65535"),
        why: "the same, before the handshake is over",
    },
    Setting {
        at: "net/core/netdev_max_backlog",
        value: Is("16384"),
        why: "packets of a burst wait for one busy core",
    },
    Setting {
        at: "net/core/netdev_budget",
        value: Is("600"),
        why: "more packets a turn where they come in bulk",
    },
    Setting { at: "net/ipv4/tcp_syncookies", value: Is("1"), why: "a flood of handshakes costs no memory" },
    Setting {
        at: "net/ipv4/tcp_migrate_req",
        value: Is("1"),
        why: "handshakes move to another worker's socket when a reload closes the one they came to",
    },
    Setting { at: "net/ipv4/tcp_fastopen", value: Is("3"), why: "available to who asks for it" },
    // Connections that go out: thousands a second to few servers.
    Setting {
        at: "net/ipv4/ip_local_port_range",
        value: Is("10240 65535"),
        why: "55 thousand connections to each server, none in a listener's way",
    },
    Setting {
        at: "net/ipv4/tcp_tw_reuse",
        value: Is("1"),
        why: "ports in TIME-WAIT serve again after a second",
    },
    Setting {
        at: "net/ipv4/tcp_max_tw_buckets",
        value: Is("262144"),
        why: "beyond, the oldest go: 60 MiB at most",
    },
    Setting {
        at: "net/ipv4/tcp_fin_timeout",
        value: Is("15"),
        why: "peers that vanish are not kept for a minute",
    },
    Setting { at: "net/ipv4/tcp_max_orphans", value: Is("65536"), why: "the same, bounded" },
    Setting {
        at: "net/ipv4/tcp_retries2",
        value: Is("8"),
        why: "a dead peer is given up after 100 s, not 15 minutes",
    },
    Setting {
        at: "net/ipv4/tcp_syn_retries",
        value: Is("4"),
        why: "the balancer tries another server long before",
    },
    Setting {
        at: "net/ipv4/tcp_keepalive_time",
        value: Is("120"),
        why: "where a timeout of ours does not come first",
    },
    Setting { at: "net/ipv4/tcp_keepalive_intvl", value: Is("30"), why: "the same" },
    Setting { at: "net/ipv4/tcp_keepalive_probes", value: Is("4"), why: "the same" },
    Setting {
        at: "net/ipv4/tcp_slow_start_after_idle",
        value: Is("0"),
        why: "kept connections to servers stay fast",
    },
    Setting { at: "net/ipv4/tcp_mtu_probing", value: Is("1"), why: "paths that drop ICMP still work" },
    Setting {
        at: "net/ipv4/tcp_notsent_lowat",
        value: Is("131072"),
        why: "memory of slow clients is not the kernel's to fill",
    },
    Setting {
        at: "net/ipv4/tcp_rmem",
        value: Is("4096 131072 4194304"),
        why: "windows grow to what a long path needs",
    },
    Setting { at: "net/ipv4/tcp_wmem", value: Is("4096 16384 4194304"), why: "the same" },
    Setting { at: "net/core/rmem_max", value: Is("4194304"), why: "UDP listeners ask for room" },
    Setting { at: "net/core/wmem_max", value: Is("4194304"), why: "the same" },
    Setting {
        at: "net/ipv4/tcp_allowed_congestion_control",
        value: Is("reno cubic bbr"),
        why: "BBR is there for who asks for it; the module is loaded when the first does",
    },
    // Addresses.
    Setting {
        at: "net/ipv4/ip_nonlocal_bind",
        value: Is("1"),
        why: "a listener on an address that DHCP or a router has yet to give is bound all the same",
    },
    Setting { at: "net/ipv6/ip_nonlocal_bind", value: Is("1"), why: "the same" },
    Setting { at: "net/ipv4/ip_forward", value: Is("0"), why: "a proxy, no router" },
    Setting {
        at: "net/ipv4/conf/all/rp_filter",
        value: Is("2"),
        why: "loose: answers may leave by another card",
    },
    Setting { at: "net/ipv4/conf/default/rp_filter", value: Is("2"), why: "the same" },
    Setting {
        at: "net/ipv4/conf/all/arp_ignore",
        value: Is("1"),
        why: "a card answers for its own addresses alone",
    },
    Setting { at: "net/ipv4/conf/all/arp_announce", value: Is("2"), why: "the same, asking" },
    Setting {
        at: "net/ipv4/conf/all/accept_redirects",
        value: Is("0"),
        why: "routes come from the configuration",
    },
    Setting { at: "net/ipv4/conf/default/accept_redirects", value: Is("0"), why: "the same" },
    Setting { at: "net/ipv6/conf/all/accept_redirects", value: Is("0"), why: "the same" },
    Setting { at: "net/ipv6/conf/default/accept_redirects", value: Is("0"), why: "the same" },
    Setting { at: "net/ipv4/conf/all/send_redirects", value: Is("0"), why: "a proxy, no router" },
    Setting { at: "net/ipv4/conf/all/accept_source_route", value: Is("0"), why: "nobody honest asks for it" },
    Setting {
        at: "net/ipv4/neigh/default/gc_thresh3",
        value: Is("8192"),
        why: "networks with thousands of neighbours",
    },
    Setting { at: "net/ipv4/neigh/default/gc_thresh2", value: Is("4096"), why: "the same" },
    Setting { at: "net/ipv6/neigh/default/gc_thresh3", value: Is("8192"), why: "the same" },
    Setting { at: "net/ipv6/neigh/default/gc_thresh2", value: Is("4096"), why: "the same" },
    // Memory: little of it, and no swap.
    Setting { at: "vm/swappiness", value: Is("0"), why: "there is nothing to swap to" },
    Setting {
        at: "vm/min_free_kbytes",
        value: OfMemory { thousandths: 16, min_kib: 2048, max_kib: 131_072 },
        why: "packets come at times when nothing can be freed",
    },
    Setting { at: "vm/oom_kill_allocating_task", value: Is("1"), why: "there is one task that allocates" },
    Setting {
        at: "vm/dirty_background_bytes",
        value: Is("1048576"),
        why: "logs reach the disk soon, in small pieces",
    },
    Setting { at: "vm/dirty_bytes", value: Is("8388608"), why: "a slow disk must not fill a small memory" },
];

/// Writes them all; returns how many took, and notes those that did not: kernels differ.
pub(crate) fn apply() -> usize {
    let memory_kib = memory_kib(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let mut taken = 0;
    for Setting { at, value, why } in TABLE {
        let text = value.text(memory_kib);
        match std::fs::write(Path::new("/proc/sys").join(at), &text) {
            Ok(()) => taken += 1,
            Err(error) => crate::console::note(&format!("{at} is not {text} ({why}): {error}")),
        }
    }
    taken
}

impl Value {
    fn text(&self, memory_kib: u64) -> String {
        match self {
            Is(text) => (*text).to_owned(),
            OfMemory { thousandths, min_kib, max_kib } => {
                (memory_kib * thousandths / 1000).clamp(*min_kib, *max_kib).to_string()
            }
        }
    }
}

/// `MemTotal:` of `/proc/meminfo`, 0 where it is not there.
pub(crate) fn memory_kib(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_fits_the_memory() {
        let reserve = OfMemory { thousandths: 16, min_kib: 2048, max_kib: 131_072 };
        assert_eq!(reserve.text(memory_kib("MemTotal:          98304 kB\nMemFree: 1 kB\n")), "2048");
        assert_eq!(reserve.text(1 << 20), "16777");
        assert_eq!(reserve.text(1 << 30), "131072");
        assert_eq!(reserve.text(memory_kib("")), "2048");
    }

    #[test]
    fn no_setting_is_there_twice_and_each_has_a_reason() {
        let mut places: Vec<_> = TABLE.iter().map(|row| row.at).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), TABLE.len());
        assert!(TABLE.iter().all(|row| !row.why.is_empty()));
    }
}
