//! What the kernel knows about this process, from `/proc/self`. What it does not tell is left out.

use std::fs;

/// What the kernel knows about this process.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) cpu_seconds: Option<f64>,
}

/// Clock ticks a second in `/proc`: fixed in the interface to user space (`USER_HZ`).
const TICKS: f64 = 100.0;

impl Usage {
    pub(crate) fn now() -> Self {
        Self {
            resident_bytes: fs::read_to_string("/proc/self/status").ok().and_then(|text| resident(&text)),
            open_files: open_files(),
            cpu_seconds: fs::read_to_string("/proc/self/stat").ok().and_then(|text| cpu(&text)),
        }
    }
}

/// `VmRSS:     1234 kB`, see proc_pid_status(5).
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Fields 14 and 15 of proc_pid_stat(5); the second one, the name, may hold anything but ends with `)`.
fn cpu(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / TICKS)
}

/// Since Linux 6.2 the folder's size is their number; before, they are counted.
fn open_files() -> Option<u64> {
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 { Some(size) } else { Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_it_all_here() {
        let usage = Usage::now();
        assert!(usage.resident_bytes.unwrap() > 1 << 20);
        assert!(usage.open_files.unwrap() >= 3);
        assert!(usage.cpu_seconds.is_some());
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 150 50 0 0 20 0";
        assert_eq!(cpu(stat), Some(2.0));
    }
}
