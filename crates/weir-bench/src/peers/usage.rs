//! How much of the processor went where, from `/proc`.
//!
//! The scheduler's own account (`schedstat`) is exact to the nanosecond, but doesn't tell user from system time; `stat`
//! does, in ticks of a clock that is too coarse for a round of two seconds. So the first gives the sum and the second
//! only its division.

use std::collections::BTreeMap;
use std::fs;

use rustix::param::clock_ticks_per_second;
use serde::Serialize;

use crate::harness::cores::Cores;

/// Processor time of a process group, since its start or within a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct CpuTime {
    /// Microseconds in user space.
    pub user_us: f64,
    /// Microseconds in the kernel on its behalf.
    pub system_us: f64,
}

impl CpuTime {
    /// User and system together, in microseconds.
    pub fn total_us(self) -> f64 {
        self.user_us + self.system_us
    }

    /// This over so many requests.
    pub fn per(self, requests: u64) -> Self {
        let requests = requests.max(1) as f64;
        Self { user_us: self.user_us / requests, system_us: self.system_us / requests }
    }
}

/// What the accounts of a process group say at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    run_ns: u64,
    user_ticks: u64,
    system_ticks: u64,
}

impl Account {
    /// Of every process in the group `id`, with all their threads.
    pub(super) fn of(id: u32) -> Self {
        let mut sum = Self::default();
        for process in members(id) {
            let Some(stat) = read(&format!("/proc/{process}/stat")) else { continue };
            let Some(stat) = Stat::parse(&stat) else { continue };
            sum.user_ticks += stat.user_ticks;
            sum.system_ticks += stat.system_ticks;
            for thread in numbers_in(&format!("/proc/{process}/task")) {
                let account = read(&format!("/proc/{process}/task/{thread}/schedstat"));
                let run_ns = account.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
                sum.run_ns += run_ns.unwrap_or(0);
            }
        }
        sum
    }

    /// What was used since `earlier`.
    pub(super) fn since(self, earlier: Self) -> CpuTime {
        let user = self.user_ticks.saturating_sub(earlier.user_ticks) as f64;
        let system = self.system_ticks.saturating_sub(earlier.system_ticks) as f64;
        let ticks = user + system;
        let ticks_us = ticks * 1e6 / clock_ticks_per_second() as f64;
        // A kernel that keeps no such account leaves the ticks.
        let run_us = self.run_ns.saturating_sub(earlier.run_ns) as f64 / 1e3;
        let total_us = if run_us > 0.0 { run_us } else { ticks_us };
        let user_share = if ticks > 0.0 { user / ticks } else { 0.5 };
        CpuTime { user_us: total_us * user_share, system_us: total_us * (1.0 - user_share) }
    }
}

/// Microseconds used by the children that this process has waited for.
pub(super) fn collected_children_us() -> f64 {
    let stat = read("/proc/self/stat");
    let ticks = stat.as_deref().and_then(Stat::parse).map_or(0, |stat| stat.children_ticks);
    ticks as f64 * 1e6 / clock_ticks_per_second() as f64
}

/// How long each core has been busy and how long it was there, in ticks since boot.
#[derive(Debug, Clone)]
pub(super) struct CoreTimes(BTreeMap<usize, (u64, u64)>);

impl CoreTimes {
    /// Now.
    pub(super) fn now() -> Self {
        Self::parse(&read("/proc/stat").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let core = |line: &str| {
            let mut words = line.strip_prefix("cpu")?.split_ascii_whitespace();
            let core = words.next()?.parse().ok()?;
            // user nice system idle iowait irq softirq steal; what follows is contained in these.
            let times: Vec<u64> = words.take(8).filter_map(|word| word.parse().ok()).collect();
            let there: u64 = times.iter().sum();
            let idle = times.get(3)? + times.get(4)?;
            Some((core, (there - idle, there)))
        };
        // The first line, `cpu `, is the sum of the others, and the first word after it no core.
        Self(text.lines().filter(|line| !line.starts_with("cpu ")).filter_map(core).collect())
    }

    /// How busy `cores` were since `earlier`, from 0 to 1.
    pub(super) fn busy_since(&self, earlier: &Self, cores: &Cores) -> f64 {
        let (mut busy, mut there) = (0, 0);
        for core in cores.numbers() {
            if let (Some(now), Some(then)) = (self.0.get(core), earlier.0.get(core)) {
                busy += now.0.saturating_sub(then.0);
                there += now.1.saturating_sub(then.1);
            }
        }
        if there > 0 { busy as f64 / there as f64 } else { 0.0 }
    }
}

/// The processes of the group `id`, but for those that only wait to be collected.
pub(crate) fn members(id: u32) -> Vec<u32> {
    numbers_in("/proc")
        .filter(|process| {
            let stat = read(&format!("/proc/{process}/stat"));
            stat.as_deref().and_then(Stat::parse).is_some_and(|stat| stat.group == id && stat.state != 'Z')
        })
        .collect()
}

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Debug, PartialEq)]
struct Stat {
    state: char,
    group: u32,
    user_ticks: u64,
    system_ticks: u64,
    children_ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name may contain anything, even `)`.
        let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_ascii_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            state: fields.first()?.chars().next()?,
            group: fields.get(2)?.parse().ok()?,
            user_ticks: ticks(11)?,
            system_ticks: ticks(12)?,
            children_ticks: ticks(13)? + ticks(14)?,
        })
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The names in a directory that are numbers.
fn numbers_in(path: &str) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = "42 (a) b (c) S 1 40 40 0 -1 4194560 1 2 3 4 500 60 7 8 20 0 3 0 99 1 2";
        let stat = Stat { state: 'S', group: 40, user_ticks: 500, system_ticks: 60, children_ticks: 15 };
        assert_eq!(Stat::parse(line), Some(stat));
        assert_eq!(Stat::parse("42 (a S 1"), None);
        assert_eq!(Stat::parse("42 (a) S 1"), None);
    }

    #[test]
    fn the_exact_account_is_divided_like_the_ticks() {
        let earlier = Account { run_ns: 1_000_000, user_ticks: 10, system_ticks: 10 };
        let later = Account { run_ns: 5_000_000, user_ticks: 11, system_ticks: 13 };
        assert_eq!(later.since(earlier), CpuTime { user_us: 1000.0, system_us: 3000.0 });
        assert_eq!(later.since(earlier).per(2), CpuTime { user_us: 500.0, system_us: 1500.0 });
        assert!(later.since(later).total_us() == 0.0);
    }

    #[test]
    fn cores_are_told_apart() {
        let then =
            CoreTimes::parse("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 0 1 8 0 0 0 0 0 0\ncpu1 0 0 0 10 0 0 0 0\n");
        let now =
            CoreTimes::parse("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 4 0 4 10 2 0 0 0 0 0\ncpu1 0 0 0 20 0 0 0 0\n");
        let busy = |cores: &str| now.busy_since(&then, &cores.parse().unwrap());
        assert_eq!((busy("0"), busy("1"), busy("0-1"), busy("7")), (0.6, 0.0, 0.3, 0.0));
    }

    #[test]
    fn this_process_has_an_account() {
        let group = Stat::parse(&read("/proc/self/stat").unwrap()).unwrap().group;
        assert!(members(group).contains(&std::process::id()));
        assert!(Account::of(group).run_ns > 0);
    }
}
