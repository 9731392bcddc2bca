//! Processors, memory, and since when the machine runs.

use serde::Serialize;

use super::tree::Tree;

/// The processors.
#[derive(Debug, Serialize)]
pub(crate) struct Cpus {
    /// As the first one calls itself.
    pub(crate) model: Option<String>,
    pub(crate) count: usize,
}

impl Cpus {
    pub(super) fn of(tree: &Tree) -> Self {
        let text = tree.text("proc/cpuinfo").unwrap_or_default();
        let values = |name: &'static str| {
            text.lines().filter_map(move |line| {
                let (key, value) = line.split_once(':')?;
                (key.trim_end() == name).then(|| value.trim().to_owned())
            })
        };
        Self { model: values("model name").next(), count: values("processor").count() }
    }
}

/// The memory.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) total_bytes: Option<u64>,
    /// What programs could have of it without swapping.
    pub(crate) available_bytes: Option<u64>,
}

impl Memory {
    /// proc_meminfo(5).
    pub(super) fn of(tree: &Tree) -> Self {
        let text = tree.text("proc/meminfo").unwrap_or_default();
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
        };
        Self { total_bytes: bytes("MemTotal"), available_bytes: bytes("MemAvailable") }
    }
}

/// proc_uptime(5), whole seconds.
pub(super) fn uptime_seconds(tree: &Tree) -> Option<u64> {
    tree.text("proc/uptime")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::Machine;
    use super::*;

    #[test]
    fn processors_memory_and_time() {
        let machine = Machine::new();
        machine
            .file(
                "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: Some CPU: 3 GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU\n",
            )
            .file("proc/meminfo", "MemTotal:         126976 kB\nMemFree: 1 kB\nMemAvailable:      65536 kB\n")
            .file("proc/uptime", "3725.61 7012.02\n");
        let cpus = Cpus::of(&machine.0);
        assert_eq!((cpus.model.as_deref(), cpus.count), (Some("Some CPU: 3 GHz"), 2));
        let memory = Memory::of(&machine.0);
        assert_eq!((memory.total_bytes, memory.available_bytes), (Some(124 << 20), Some(64 << 20)));
        assert_eq!(uptime_seconds(&machine.0), Some(3725));
    }

    #[test]
    fn what_is_not_told_is_not_guessed() {
        let machine = Machine::new();
        assert_eq!((Cpus::of(&machine.0).count, Memory::of(&machine.0).total_bytes), (0, None));
        assert_eq!(uptime_seconds(&machine.0), None);
    }
}
