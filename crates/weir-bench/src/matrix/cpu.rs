//! Processor time of a target's machine on this host.

use std::fs;
use std::path::Path;

use rustix::param::clock_ticks_per_second;

use super::scenario::HostCpu;
use crate::peers::usage;
use crate::results::CpuOf;

/// Seconds of processor time so far; none where that can't be read, which is no reason not to measure.
pub(super) fn seconds(of: &HostCpu, started: Option<u32>, directory: &Path) -> Option<f64> {
    match of {
        HostCpu::Started => Some(usage::members(started?).into_iter().filter_map(process).sum()),
        HostCpu::PidFile(path) => {
            process(fs::read_to_string(directory.join(path)).ok()?.trim().parse().ok()?)
        }
        HostCpu::Group(path) => {
            let text = fs::read_to_string(directory.join(path).join("cpu.stat")).ok()?;
            let usec = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
            Some(usec.trim().parse::<f64>().ok()? / 1e6)
        }
    }
}

pub(super) fn kind(of: &HostCpu) -> CpuOf {
    match of {
        HostCpu::Started | HostCpu::PidFile(_) => CpuOf::Process,
        HostCpu::Group(_) => CpuOf::Group,
    }
}

/// Of a process with all its threads, and the children that it has waited for.
fn process(id: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(ticks(&stat)? as f64 / clock_ticks_per_second() as f64)
}

/// User and system time in `/proc/PID/stat`; the name, which is the process' own choice, is in parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let of = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(of(14)? + of(15)? + of(16)? + of(17)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_strange_name_has_its_time() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 5 0 1";
        assert_eq!(ticks(stat), Some(127));
        assert_eq!(ticks("7 (a"), None);
        assert!(process(std::process::id()).is_some());
    }
}
