//! Which cores a process runs on.
//!
//! A child inherits the cores of the thread that starts it, so nothing has to be run between fork and exec: the
//! calling thread moves, starts the child, and moves back.

use std::fmt;
use std::io;
use std::str::FromStr;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Serialize, Serializer};

/// A set of cores, written like `0`, `0,2` or `0-3`; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores(Vec<usize>);

impl Cores {
    /// The numbers of the cores, ascending.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }

    /// One core.
    pub fn of(core: usize) -> Self {
        Self(vec![core])
    }

    /// Every core that the calling thread may run on.
    ///
    /// # Errors
    /// As the system has them.
    pub fn allowed() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
        if allowed.is_empty() { Err(io::Error::other("no core to run on")) } else { Ok(Self(allowed)) }
    }

    /// The first and the last core that the calling thread may run on; the same one where there is only one.
    ///
    /// # Errors
    /// As the system has them.
    pub fn first_and_last() -> io::Result<(Self, Self)> {
        match Self::allowed()?.0[..] {
            [first, .., last] => Ok((Self(vec![first]), Self(vec![last]))),
            [only] => Ok((Self(vec![only]), Self(vec![only]))),
            [] => Err(io::Error::other("no core to run on")),
        }
    }

    /// All that the calling thread may run on.
    ///
    /// # Errors
    /// As the system has them.
    pub fn all() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        Ok(Self((0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect()))
    }

    /// The cores of both.
    pub fn and(&self, other: &Self) -> Self {
        Self::sorted(self.0.iter().chain(&other.0).copied().collect())
    }

    /// Moves the calling thread to these cores.
    ///
    /// # Errors
    /// When the system refuses, as for cores that this machine doesn't have.
    pub fn pin(&self) -> io::Result<()> {
        let mut wanted = CpuSet::new();
        for &core in &self.0 {
            wanted.set(core);
        }
        sched_setaffinity(None, &wanted).map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("cannot run on core {self}: {error}"))
        })
    }

    /// Does `work` with the calling thread, and whatever it starts, on these cores.
    ///
    /// # Errors
    /// As [`Cores::pin`], or as `work`.
    pub fn run<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let before = sched_getaffinity(None)?;
        self.pin()?;
        let done = work();
        sched_setaffinity(None, &before)?;
        done
    }

    fn sorted(mut numbers: Vec<usize>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers)
    }
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let core = |text: &str| {
            let number = text.parse().ok().filter(|&number: &usize| number < CpuSet::MAX_CPU);
            number.ok_or_else(|| {
                format!("`{text}` is not the number of a core; write it like `0`, `0,2` or `0-3`")
            })
        };
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (core(first)?, core(last)?);
            if first > last {
                return Err(format!("`{part}` runs backwards"));
            }
            numbers.extend(first..=last);
        }
        Ok(Self::sorted(numbers))
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&numbers.join(","))
    }
}

impl Serialize for Cores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_read_as_taskset_reads_them() {
        for (text, cores) in [("0", "0"), ("3,1", "1,3"), ("0-2", "0,1,2"), ("2,0-1,1", "0,1,2")] {
            assert_eq!(text.parse::<Cores>().unwrap().to_string(), cores);
        }
        for wrong in ["", "a", "1-", "-1", "2-1", "0,,1", "99999"] {
            assert!(wrong.parse::<Cores>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn work_leaves_the_thread_where_it_was() {
        let before = sched_getaffinity(None).unwrap();
        let first = (0..CpuSet::MAX_CPU).find(|&core| before.is_set(core)).unwrap();
        let during = Cores(vec![first]).run(|| Ok(sched_getaffinity(None)?.count())).unwrap();
        assert_eq!(during, 1);
        assert!(sched_getaffinity(None).unwrap() == before);
    }
}
