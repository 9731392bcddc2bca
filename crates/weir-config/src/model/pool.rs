//! Pools: servers, how one is chosen, and how their health is found out.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, Method, StatusCode};

use super::{Name, PoolTls};

/// A named group of servers, a balancing algorithm and a health check.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Its key in the file.
    pub name: Name,
    /// What its servers speak. Default `http1`.
    pub protocol: PoolProtocol,
    /// How a server is chosen. Default `round_robin`.
    pub balance: Balance,
    /// At least one, with unique names.
    pub servers: Vec<Server>,
    /// How the servers are spoken to in TLS. Default not at all.
    pub tls: Option<PoolTls>,
    /// The active check. Default none: a server is then healthy until traffic shows otherwise.
    pub check: Option<Check>,
    /// How long a server that comes up takes to get its full share. Default zero: at once.
    pub slow_start: Duration,
    /// How long a server may take.
    pub timeouts: PoolTimeouts,
    /// How much is kept and waited for.
    pub limits: PoolLimits,
    /// How much of HTTP/2 is asked of a server that speaks it.
    pub http2: PoolHttp2,
    /// When a request is sent again.
    pub retries: Retries,
    /// When traffic alone takes a server out of the choice for a while.
    pub ejection: Ejection,
    /// The header that tells a server who the client is, in front of all else. Default none.
    pub proxy_protocol: ProxyVersion,
}

/// The PROXY header that a connection to a server begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyVersion {
    /// None.
    #[default]
    None,
    /// A line of text.
    V1,
    /// Binary, with what is known of the client's TLS.
    V2,
}

impl ProxyVersion {
    /// The header of a connection that is nobody's but the proxy's own, such as a probe's.
    pub fn own_header(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::V1 => b"PROXY UNKNOWN\r\n",
            // The signature, version 2 and LOCAL, AF_UNSPEC, a length of 0.
            Self::V2 => b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        }
    }
}

/// What a pool's servers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PoolProtocol {
    /// HTTP/1.1, an exchange at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2, many exchanges on a connection, without asking first whether the server speaks it (RFC 9113
    /// section 3.3).
    Http2,
}

/// How a server is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Balance {
    /// One after the other, as often as their weights say, evenly mixed.
    #[default]
    RoundRobin,
    /// The one with the fewest exchanges in flight for its weight.
    LeastConnections,
    /// The less loaded of two drawn at random.
    RandomTwo,
    /// By the client's address: the same client, the same server.
    SourceHash,
    /// By the request's path and query.
    UriHash,
    /// By the value of this field (`hash_header` in the file); a request without it is spread at random.
    HeaderHash(HeaderName),
    /// The first in the file's order that has room.
    First,
}

/// One address in a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its `name:`, else its address as it was written.
    pub name: Name,
    /// Where it listens.
    pub address: ServerAddress,
    /// Its share; 0 takes no new exchange. Default 1.
    pub weight: Weight,
    /// Exchanges in flight at once, in HTTP/1 each on a connection of its own; the next ones wait in the pool's
    /// queue.
    /// Default 65,535: the ports of one source address.
    pub max_connections: u32,
    /// Used only while no other server of the pool can be. Default no.
    pub backup: bool,
    /// What a name with several addresses means.
    pub expand: Expand,
}

impl Server {
    /// What [`Server::max_connections`] is by default.
    pub const MAX_CONNECTIONS_DEFAULT: u32 = 65_535;
}

/// What a host name with several addresses means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expand {
    /// One server, at the first address.
    #[default]
    First,
    /// One server for each address (`resolve: all` in the file), named `NAME@ADDRESS`; at most
    /// [`Expand::ADDRESSES_MAX`].
    All,
}

impl Expand {
    /// The most servers that one name makes.
    pub const ADDRESSES_MAX: usize = 256;
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// The address, or the name that stands for it.
    pub host: Host,
    /// The port, not 0.
    pub port: u16,
}

/// An address, or the name that stands for one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, in lower case, without a final dot.
    Name(String),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// A server's share of the pool's exchanges: 0 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u16);

impl Weight {
    /// The largest weight.
    pub const MAX: u16 = 256;

    /// `None` when `weight` is above [`Weight::MAX`].
    pub fn new(weight: u16) -> Option<Self> {
        (weight <= Self::MAX).then_some(Self(weight))
    }

    /// The number itself.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

/// The active health check of a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What a probe does.
    pub kind: CheckKind,
    /// Between two probes of one server, from start to start. Default 2 s.
    pub interval: Duration,
    /// The same while a server is between up and down. Default: half of `interval`.
    pub interval_changing: Duration,
    /// How long one probe may take, all told. Default 1 s.
    pub timeout: Duration,
    /// Good probes in a row that bring a server up. Default 2.
    pub rise: u16,
    /// Bad probes in a row that take it down. Default 3.
    pub fall: u16,
    /// By how much of itself an interval varies, in percent, so that probes don't march in step.
    /// Default 10, at most 50.
    pub jitter_percent: u8,
    /// Probe this port instead of the server's own.
    pub port: Option<u16>,
    /// Probe in TLS, as the pool speaks it. Default: if it does.
    pub tls: bool,
    /// The PROXY header that a probe of the server's own port begins with: the pool's.
    pub proxy_protocol: ProxyVersion,
}

impl Check {
    /// A check of this kind with every other value at its default.
    pub fn with_defaults(kind: CheckKind) -> Self {
        let interval = Duration::from_secs(2);
        Self {
            kind,
            interval,
            interval_changing: interval / 2,
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
            jitter_percent: 10,
            port: None,
            tls: false,
            proxy_protocol: ProxyVersion::None,
        }
    }
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    /// Connects, and closes again.
    Tcp,
    /// Sends a request and judges the answer.
    Http(HttpCheck),
    /// Asks the server how it is, by gRPC's own protocol for that (`grpc.health.v1`).
    Grpc(GrpcCheck),
}

/// An HTTP probe.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpCheck {
    /// Default GET.
    pub method: Method,
    /// The target, with a query if need be. Default `/`.
    pub path: String,
    /// The `Host` field. Default: the server's address.
    pub host: Option<String>,
    /// What the probe speaks. Default: what the pool's servers do.
    pub protocol: Option<PoolProtocol>,
    /// The statuses of a healthy server. Default 200-399.
    pub expect: StatusRanges,
    /// Text that the body's first 64 KiB must contain. Default none.
    pub body_contains: Option<String>,
}

impl Default for HttpCheck {
    fn default() -> Self {
        Self {
            method: Method::GET,
            path: "/".into(),
            host: None,
            protocol: None,
            expect: StatusRanges(vec![(200, 399)]),
            body_contains: None,
        }
    }
}

/// A gRPC probe: the server has to say SERVING.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrpcCheck {
    /// The service that is asked about. Default none: the server as a whole.
    pub service: String,
    /// The `:authority` of the request. Default: the server's address.
    pub host: Option<String>,
}

/// Inclusive ranges of status codes, such as `200-399` or `200,204`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRanges(pub Vec<(u16, u16)>);

impl StatusRanges {
    /// Whether `status` is in one of the ranges.
    pub fn contains(&self, status: StatusCode) -> bool {
        self.0.iter().any(|&(low, high)| (low..=high).contains(&status.as_u16()))
    }
}

/// How long a server may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolTimeouts {
    /// To accept a connection. Default 3 s.
    pub connect: Duration,
    /// To say 100 (Continue) to a request that waits for it before it sends its body; after that the body is
    /// sent all the same (RFC 9110 section 10.1.1). Default 1 s.
    pub continue_wait: Duration,
    /// From the end of the request to the head of the answer; 504 after that. Default 60 s.
    pub response: Duration,
    /// Between two pieces of the answer's body, and between two pieces of a request's body that the server
    /// takes. Default 30 s.
    pub body_idle: Duration,
    /// How long a request waits in the pool's queue for a server with room; 503 after that. Default 5 s.
    pub queue: Duration,
    /// How long an idle connection to a server is kept for the next exchange. Default 60 s.
    pub keep_alive: Duration,
}

impl Default for PoolTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            continue_wait: Duration::from_secs(1),
            response: Duration::from_secs(60),
            body_idle: Duration::from_secs(30),
            queue: Duration::from_secs(5),
            keep_alive: Duration::from_secs(60),
        }
    }
}

/// How much is kept and waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLimits {
    /// Requests that wait for a server with room; the next ones get 503 at once. Default 1024.
    pub queue: u32,
    /// Idle connections kept to one server, all workers together. Default 100.
    pub idle_connections: u32,
    /// Bytes of a response's head; 502 beyond. Default 32 KiB, 1 KiB to 1 MiB.
    pub response_head_bytes: usize,
    /// Fields in a response's head; 502 beyond. Default 100, 8 to 1000.
    pub response_fields: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { queue: 1024, idle_connections: 100, response_head_bytes: 32 << 10, response_fields: 100 }
    }
}

/// How much of HTTP/2 is asked of a server that speaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolHttp2 {
    /// Connections to one server, all workers together; an exchange that finds all their streams taken waits
    /// for one, at most for `timeouts.connect`. Default 100.
    pub connections: u32,
    /// Exchanges at once on one connection, or fewer if the server says so. Default 100.
    pub streams: u32,
    /// How much of one answer the server may send before the client has taken any of it. Default 64 KiB, 16 KiB
    /// to 16 MiB.
    pub stream_window_bytes: usize,
}

impl Default for PoolHttp2 {
    fn default() -> Self {
        Self { connections: 100, streams: 100, stream_window_bytes: 64 << 10 }
    }
}

/// When a request is sent again: only after a failure that shows no server worked on it, or for a method
/// that is safe to repeat (RFC 9110 section 9.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// The most times that one request is sent again. Default 2, at most 10.
    pub attempts: u8,
    /// Retries may be at most this share of the pool's requests, in percent; a few are always allowed.
    /// Default 20, at most 100.
    pub budget_percent: u8,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 2, budget_percent: 20 }
    }
}

/// When traffic alone takes a server out of the choice for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// Failed exchanges in a row (no connection, no answer, a broken answer) that eject a server; 0 turns
    /// ejection off. Default 5.
    pub failures: u32,
    /// For how long. Default 10 s.
    pub duration: Duration,
    /// The most of the pool's servers that may be ejected at once, in percent. Default 50, at most 100.
    pub max_percent: u8,
}

impl Default for Ejection {
    fn default() -> Self {
        Self { failures: 5, duration: Duration::from_secs(10), max_percent: 50 }
    }
}
