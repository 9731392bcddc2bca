//! How much memory a proxy holds, and how much the kernel holds for sockets.

use std::fs;

use rustix::param::page_size;
use serde::Serialize;

use super::usage;

/// What the processes of a group hold, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Resident, with pages that several processes share counted for each.
    pub rss_kib: u64,
    /// Resident, with such pages divided among them: the honest sum.
    pub pss_kib: u64,
}

impl Memory {
    /// Of every process in the group `id`.
    pub fn of(id: u32) -> Self {
        let mut sum = Self::default();
        for process in usage::members(id) {
            let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
            sum.rss_kib += field_kib(&text, "Rss:");
            sum.pss_kib += field_kib(&text, "Pss:");
        }
        sum
    }
}

/// Bytes that the kernel holds now for sockets and for everything else it keeps small objects for. Only
/// differences mean something.
pub(super) fn kernel_bytes() -> u64 {
    let slab = fs::read_to_string("/proc/meminfo").map_or(0, |text| field_kib(&text, "Slab:"));
    let pages = fs::read_to_string("/proc/net/sockstat").map_or(0, |text| buffer_pages(&text));
    slab * 1024 + pages * page_size() as u64
}

/// The number after `name` in a text of lines such as `Pss:   636 kB`; 0 without one.
fn field_kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The pages of all TCP sockets' buffers, from `/proc/net/sockstat`.
fn buffer_pages(text: &str) -> u64 {
    let mut words = text.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or("").split(' ');
    words.find(|&word| word == "mem");
    words.next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "5500-7fff ---p 0 00:00 0    [rollup]\nRss:      1704 kB\nPss:       636 kB\nPss_Anon:   116 kB\n";
        assert_eq!(
            (field_kib(text, "Rss:"), field_kib(text, "Pss:"), field_kib(text, "Swap:")),
            (1704, 636, 0)
        );
    }

    #[test]
    fn buffers_are_tcps_own() {
        let text = "sockets: used 10\nTCP: inuse 1 orphan 0 tw 1140 alloc 1 mem 205\nUDP: inuse 0 mem 3\n";
        assert_eq!(buffer_pages(text), 205);
        assert_eq!(buffer_pages(""), 0);
    }
}
