//! The programs that are compared. A new one is a file here and a line in [`ALL`].
//!
//! All get the same job: HTTP/1.1 with keep-alive to the origin and whatever the [`Front`] says to the clients, one
//! worker, `X-Forwarded-For`, finite timeouts (long enough for thousands of idle connections to be opened), and no other
//! work than that; whatever else a program does by default and can do without is turned off. In TLS they offer 1.2 and
//! 1.3 and what else is their default: the clients decide.

mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod weir;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::harness::certificate::Certificate;

/// Every program, ours first.
pub const ALL: [Peer; 5] = [weir::PEER, haproxy::PEER, nginx::PEER, caddy::PEER, envoy::PEER];

/// Idle connections to the origin that each may keep: more than any load here has in flight.
const IDLE_CONNECTIONS: u32 = 256;

/// What a proxy listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Front {
    /// HTTP/1.1, as it is.
    Http,
    /// HTTP/1.1 and HTTP/2 in TLS, as ALPN says.
    Tls,
    /// HTTP/2 as it is, which the client knows.
    H2c,
    /// Any bytes, of which it understands nothing.
    Tcp,
}

impl Front {
    /// Every one, in the order in which they are measured.
    pub const ALL: [Self; 4] = [Self::Http, Self::Tls, Self::H2c, Self::Tcp];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
            Self::H2c => "h2c",
            Self::Tcp => "tcp",
        }
    }

    /// Whether a proxy has a line for its access log for each request, and not for each connection.
    pub fn logs_requests(self) -> bool {
        match self {
            Self::Http | Self::Tls | Self::H2c => true,
            Self::Tcp => false,
        }
    }
}

/// A program that can be a reverse proxy.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// What it is called: on the command line, in the report, and in `PATH`.
    pub name: &'static str,
    /// The variable of the environment that names another binary.
    pub variable: &'static str,
    /// How to get it.
    pub hint: &'static str,
    /// The arguments that make it print its version.
    pub version: &'static [&'static str],
    /// What it can listen for.
    pub fronts: &'static [Front],
    /// Whether it can let requests wait for a server that has no room.
    pub queues: bool,
    /// Its configuration for a setting.
    pub prepare: fn(&Setting<'_>) -> Launch,
}

/// What a configuration depends on.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// Its own binary.
    pub program: &'a Path,
    /// A directory of its own.
    pub directory: &'a Path,
    /// Where it listens.
    pub listen: SocketAddr,
    /// What for.
    pub front: Front,
    /// What it shows in TLS.
    pub certificate: &'a Certificate,
    /// Where the origin is.
    pub origin: SocketAddr,
    /// The file that gets a line for each request.
    pub access_log: Option<&'a Path>,
    /// Connections from clients that it must be able to hold.
    pub connections_max: u32,
    /// How many connections it may have to the origin, where that is bounded; others wait.
    pub origin_connections_max: Option<u32>,
    /// How many may wait, where a proxy can be told that.
    pub queue: u32,
    /// Worker threads or processes.
    pub workers: u32,
}

/// How a program is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// The name of its configuration file.
    pub file: &'static str,
    /// What that file says.
    pub text: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(&'static str, String)>,
    /// It writes its access log to its standard output, which then is the file.
    pub logs_to_stdout: bool,
}

impl Setting<'_> {
    /// A file in the directory, as text for a configuration.
    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

impl Peer {
    /// The program of this name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|peer| peer.name == name)
    }

    /// Its binary: the one that its variable names, else the first in `PATH` or where Debian puts servers.
    ///
    /// # Errors
    /// In words, with the remedy, when there is none.
    pub fn find(&self) -> Result<PathBuf, String> {
        let named = std::env::var_os(self.variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        find(self.name, named)
            .map_err(|why| format!("{why}; {}, or give its path as {}=", self.hint, self.variable))
    }
}

/// A program by its path, or by its name in `PATH` or where Debian puts servers.
///
/// # Errors
/// In words, when there is none.
pub fn find(name: &str, path: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(path) = path {
        // Absolute, because it is started in another directory.
        return path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    }
    let mut directories: Vec<PathBuf> =
        std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    directories.extend(["/usr/local/sbin".into(), "/usr/sbin".into()]);
    let found = directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{name} is not installed"))
}
