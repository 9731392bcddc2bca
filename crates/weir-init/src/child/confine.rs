//! From root to a user who may bind low ports, and nothing else: what happens to the process before it becomes `weir run`.
//!
//! It has one thread, so that what is said of threads here holds for the process.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::SigSet;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use rustix::thread::{self, CapabilitySet, CapabilitySets, Gid, Uid};

use crate::files::WEIR;

/// Open files: two a session, and memory is the bound of those.
const FILES_MAX: u64 = 1 << 20;
/// Every right that there is.
const RIGHTS: u32 = 64;

/// A step did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {error}")]
pub(crate) struct ConfineError {
    step: &'static str,
    error: io::Error,
}

/// Gives up the rights and becomes `weir ARGUMENTS`. Comes back only with an error.
pub(crate) fn become_child(arguments: &[String]) -> Result<Infallible, ConfineError> {
    let named = |step| move |error: rustix::io::Errno| ConfineError { step, error: error.into() };
    let keep = CapabilitySet::NET_BIND_SERVICE;

    // Process 1 has all signals blocked, which is inherited.
    SigSet::empty()
        .thread_set_mask()
        .map_err(|error| ConfineError { step: "signals", error: error.into() })?;
    // No child without its parent.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(named("end with process 1"))?;
    let files = Rlimit { current: Some(FILES_MAX), maximum: Some(FILES_MAX) };
    setrlimit(Resource::Nofile, files).map_err(named("open files"))?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(named("no dumps"))?;
    for right in (0..RIGHTS).map(|number| CapabilitySet::from_bits_retain(1 << number)).filter(|r| *r != keep)
    {
        // Numbers that this kernel does not know are refused, and there is nothing to give up then.
        let _ = thread::remove_capability_from_bounding_set(right);
    }
    thread::set_keep_capabilities(true).map_err(named("keep rights"))?;
    thread::set_thread_groups(&[]).map_err(named("groups"))?;
    let (user, group) = (Uid::from_raw(WEIR), Gid::from_raw(WEIR));
    thread::set_thread_res_gid(group, group, group).map_err(named("group"))?;
    thread::set_thread_res_uid(user, user, user).map_err(named("user"))?;
    thread::set_capabilities(None, CapabilitySets { effective: keep, permitted: keep, inheritable: keep })
        .map_err(named("rights"))?;
    thread::configure_capability_in_ambient_set(keep, true).map_err(named("right to bind low ports"))?;
    thread::set_no_new_privs(true).map_err(named("no new rights"))?;
    // Not the same as before: what was set above is cleared when the user changes.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(named("end with process 1"))?;

    let error = Command::new(super::SELF).arg0("weir").args(arguments).exec();
    Err(ConfineError { step: "weir run", error })
}
