//! What a valid configuration means. Every default value of the product stands in this folder, beside
//! its field, and nowhere else; the JSON Schema and the reference are printed from here.
//!
//! Values are plain data: no sockets, no clocks, no positions in a file.

mod listener;
mod pool;
mod route;
mod system;
mod tls;

pub use listener::{
    ForwardedFields, Http2, Listener, ListenerLimits, ListenerTimeouts, Protocol, ProxyHeader, Udp,
};
pub use pool::{
    Balance, Check, CheckKind, Ejection, Expand, GrpcCheck, Host, HttpCheck, Pool, PoolHttp2, PoolLimits,
    PoolProtocol, PoolTimeouts, ProxyVersion, Retries, Server, ServerAddress, StatusRanges, Weight,
};
pub use route::{
    Action, FieldMatch, FieldTest, HostPattern, PathMatch, Pattern, PoolId, Redirect, Respond, Route,
    RouteMatch,
};

pub use system::{
    Interface, InterfaceMatch, InterfaceRoute, MacAddress, NotAMacAddress, System, Time, bus_path,
};

pub use tls::{
    Alpn, CertificateFiles, ClientCertificateMode, ClientCertificates, ListenerTls, PoolTls, TlsVersion,
    Verify,
};

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The name of a listener, pool or server: 1 to 128 characters of `A-Z a-z 0-9 . _ : - [ ] @`.
pub type Name = Arc<str>;

/// The whole of a valid configuration file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How many workers serve; each is one thread on one core. Read at the start only.
    pub workers: Workers,
    /// The address that operators and scripts ask. `None`: the file has no such section, and the default of whoever
    /// runs it holds: [`Admin::default`], or the appliance's.
    pub admin: Option<Admin>,
    /// What is written down, and where.
    pub log: Log,
    /// How names of servers become addresses.
    pub resolver: Resolver,
    /// Bounds of the whole process.
    pub limits: Limits,
    /// Timeouts of the whole process.
    pub timeouts: Timeouts,
    /// Read the file again whenever it is replaced, as if SIGHUP had been sent. Default off.
    pub watch_config: bool,
    /// The machine itself; only the appliance acts on it.
    pub system: System,
    /// In the order of the file; names and binds are unique.
    pub listeners: Vec<Listener>,
    /// In the order of the file; names are unique. [`PoolId`] is an index into this.
    pub pools: Vec<Pool>,
}

/// How many worker threads serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Workers {
    /// One for each core that this process may run on.
    #[default]
    Auto,
    /// This many, 1 to 1024.
    Count(NonZeroU16),
}

/// The admin address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Default 127.0.0.1:9000. Anything but loopback needs a token.
    pub bind: SocketAddr,
    /// A file whose first line is the bearer token that requests must carry.
    pub token_file: Option<PathBuf>,
    /// The certificate, where TLS is spoken there. Default none.
    pub tls: Option<CertificateFiles>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 9000)), token_file: None, tls: None }
    }
}

impl Config {
    /// The address that operators and scripts ask, where `default` holds without a section of the file.
    pub fn admin_or<'a>(&'a self, default: &'a Admin) -> &'a Admin {
        self.admin.as_ref().unwrap_or(default)
    }
}

/// What is written down, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The lowest level of diagnostics on standard error. Default `info`.
    pub level: LogLevel,
    /// Where the access log goes: one line an exchange. Default standard output.
    pub access: AccessLogTarget,
    /// The form of a line of the access log. Default JSON.
    pub access_format: AccessLogFormat,
    /// How many bytes of lines a worker holds for a writer that is behind before it drops lines and counts
    /// them. Default 1 MiB.
    pub access_buffer_bytes: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            access: AccessLogTarget::Stdout,
            access_format: AccessLogFormat::Json,
            access_buffer_bytes: 1 << 20,
        }
    }
}

/// The lowest level of diagnostics that is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the levels say it all")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Nowhere: exchanges are counted, not logged.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to this file; opened again at a reload, so a rotated file can be moved away first.
    File(PathBuf),
}

/// The form of a line of the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// One JSON object a line.
    Json,
    /// NCSA's common log format.
    Common,
}

/// How names of servers become addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// Whom to ask. Default empty: the servers of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// How long an answer is kept before the name is asked for again. Default 10 s; when nobody answers,
    /// the last answer stays in use.
    pub hold: Duration,
    /// How long one question may take. Default 2 s.
    pub timeout: Duration,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { servers: Vec::new(), hold: Duration::from_secs(10), timeout: Duration::from_secs(2) }
    }
}

/// Bounds of the whole process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many client connections may be open at once, all listeners together. Default (`auto`): what the
    /// limit on open files allows at two files a session, or half of the memory at 32 KiB a session.
    pub sessions: SessionLimit,
    /// Bytes of the fields of all HTTP/2 requests under way, as RFC 9113 section 6.5.2 counts them, each worker having
    /// its part; 503 beyond. Default 64 MiB.
    pub http2_header_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: SessionLimit::default(), http2_header_bytes: 64 << 20 }
    }
}

/// How many client connections may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionLimit {
    /// Half of the limit on open files, less a reserve, or what half of the memory holds at 32 KiB each.
    #[default]
    Auto,
    /// This many, at least 1.
    Count(u32),
}

/// Timeouts of the whole process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// How long exchanges may go on after the signal to stop, or after their listener was removed.
    /// Default 30 s.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { drain: Duration::from_secs(30) }
    }
}
