//! What a thread has had of a processor, and how long it waited for one.
//!
//! A thread that is always ready to run but does not get a processor is as much a limit as one that uses it up, and a
//! machine with other work shows only the second in the time used. The kernel's `schedstat` has both.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the thread's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// On a processor.
    pub(crate) run_ns: u64,
    /// Ready to run, with no processor.
    pub(crate) wait_ns: u64,
}

impl Account {
    /// The calling thread's. Where the kernel keeps no such account, its clock says how long it has run.
    pub(crate) fn of_this_thread() -> Self {
        read("/proc/thread-self/schedstat").unwrap_or_else(|| {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
            Self { run_ns: seconds * 1_000_000_000 + nanoseconds, wait_ns: 0 }
        })
    }

    /// That of the thread `id` of this process; nothing of one that is gone.
    pub(crate) fn of_thread(id: u32) -> Self {
        read(&format!("/proc/self/task/{id}/schedstat")).unwrap_or_default()
    }

    /// What came since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            run_ns: self.run_ns.saturating_sub(earlier.run_ns),
            wait_ns: self.wait_ns.saturating_sub(earlier.wait_ns),
        }
    }
}

fn read(path: &str) -> Option<Account> {
    parse(&fs::read_to_string(path).ok()?)
}

fn parse(text: &str) -> Option<Account> {
    let mut words = text.split_ascii_whitespace();
    let (run_ns, wait_ns) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Account { run_ns, wait_ns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn an_account_is_read_and_compared() {
        let then = parse("100 20 3\n").unwrap();
        assert_eq!(then, Account { run_ns: 100, wait_ns: 20 });
        let now = Account { run_ns: 150, wait_ns: 30 };
        assert_eq!(now.since(then), Account { run_ns: 50, wait_ns: 10 });
        assert_eq!(parse("100"), None);
        assert_eq!(parse("a b"), None);
    }

    #[test]
    fn this_thread_has_one() {
        // The kernel brings it up to date with its own ticks.
        let deadline = Instant::now() + Duration::from_secs(20);
        while Account::of_this_thread().run_ns == 0 {
            assert!(Instant::now() < deadline);
        }
        assert_eq!(Account::of_thread(0), Account::default());
    }
}
