//! On what machine, with which programs: without that a figure says nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::running::Installed;
use crate::results;

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
        let here = results::Environment::here();
        Self {
            date,
            cpu: here.processor.unwrap_or_else(|| "unknown".into()),
            cores: here.processors.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX)),
            kernel: here.kernel.unwrap_or_default(),
            memory_kib: here.memory_bytes.unwrap_or(0) >> 10,
            versions,
        }
    }
}
