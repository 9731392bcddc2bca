//! Threads of process 1: few, named, with small stacks.

use std::thread::{Builder, JoinHandle};

/// Enough for every thread of ours; the default of 2 MiB would be paid only where touched, yet counts as committed.
const STACK_BYTES: usize = 256 << 10;

/// Starts a thread named `weir-NAME`, whose result can be waited for. None where there is no memory for it: its job is
/// not done, the boot goes on.
pub(crate) fn start<F, T>(name: &str, job: F) -> Option<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match Builder::new().name(format!("weir-{name}")).stack_size(STACK_BYTES).spawn(job) {
        Ok(handle) => Some(handle),
        Err(error) => {
            crate::console::say(&format!("no thread for {name}: {error}"));
            None
        }
    }
}
