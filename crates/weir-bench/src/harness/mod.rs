//! What every measurement needs: processes that end with their guard, cores to run on, a directory that goes away, the
//! origin as a process, a client's connection, tables. Measures nothing itself.

pub mod certificate;
pub mod cores;
pub mod directory;
pub mod injector;
pub mod origin;
pub(crate) mod process;
pub(crate) mod stream;
pub(crate) mod table;
pub mod tls;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A line about progress on standard error. When nobody reads that, there is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A port that is free now. Not all programs tell which one they got, so none is asked to choose.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// As many open files as are allowed, for this process and all that it starts; how many that is.
///
/// # Errors
/// As the system has them.
pub fn raise_files_limit() -> std::io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(maximum.unwrap_or(u64::MAX))
}
