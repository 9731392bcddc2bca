//! On what machine, with which programs: without that a figure says nothing.

use std::collections::BTreeMap;
use std::fs;

use rustix::system::uname;
use serde::Serialize;

use super::running::Installed;

/// Where and with what was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// When, in the words of whoever started the run.
    pub date: Option<String>,
    /// The processor's model.
    pub cpu: String,
    /// How many cores there are.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// Each program's version, in its own words.
    pub versions: BTreeMap<String, String>,
}

impl Environment {
    /// This machine, and these programs.
    pub(super) fn now(date: Option<String>, installed: &[Installed]) -> Self {
        let versions: BTreeMap<String, String> =
            installed.iter().map(|found| (found.peer.name.into(), found.version.clone())).collect();
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let memory = value_of(&read("/proc/meminfo"), "MemTotal")
            .and_then(|value| value.strip_suffix(" kB")?.parse().ok());
        Self {
            date,
            cpu: value_of(&processors, "model name").unwrap_or_else(|| "unknown".into()),
            cores: processors.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: uname().release().to_string_lossy().into_owned(),
            memory_kib: memory.unwrap_or(0),
            versions,
        }
    }
}

/// The value in a text of lines `name : value`.
fn value_of(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim_end() == name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: A: B\nMemTotal:       24684 kB\n";
        assert_eq!(value_of(text, "model name").as_deref(), Some("A: B"));
        assert_eq!(value_of(text, "MemTotal").as_deref(), Some("24684 kB"));
        assert_eq!(value_of(text, "name"), None);
    }
}
