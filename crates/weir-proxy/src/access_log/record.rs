//! What the access log says of one exchange. Borrowed from the exchange; nothing here is owned or parsed.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::Version;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An exchange.
    Http,
    /// A TCP connection: what only a request has is left out.
    Tcp,
    /// A UDP flow, the same.
    Udp,
}

/// One exchange, connection or flow. Text that came from outside is bytes: nobody promised that it is UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// When the first byte of the request's head arrived.
    pub started: SystemTime,
    /// The client, as the listener believes it to be.
    pub client: SocketAddr,
    /// The listener's name.
    pub listener: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The request's host, with its port if it named one; the name that TLS asks for on a TCP connection that
    /// is routed by it.
    pub host: Option<&'a [u8]>,
    /// The request's target: path and query, as received.
    pub target: &'a [u8],
    /// The version that the client spoke.
    pub version: Version,
    /// The status that the client was sent; 0 when the session ended before one was.
    pub status: u16,
    /// Bytes of the request's body, as received and without framing.
    pub request_bytes: u64,
    /// Bytes of the response's body, as sent and without framing.
    pub response_bytes: u64,
    /// The name of the pool that the route chose.
    pub pool: Option<&'a str>,
    /// The name of the server that was tried last.
    pub server: Option<&'a str>,
    /// The address of the server that was tried last.
    pub upstream: Option<SocketAddr>,
    /// The version and the cipher of the client's TLS.
    pub tls: Option<(&'a str, &'a str)>,
    /// How many times the request was sent again.
    pub retries: u32,
    /// Where the time went.
    pub times: Times,
    /// How the exchange ended: two ASCII letters.
    pub end: [u8; 2],
    /// Why it failed, if it did.
    pub cause: Option<&'a str>,
    /// The request's `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The request's `Referer`.
    pub referer: Option<&'a [u8]>,
}

/// Where an exchange's time went; `None` for a phase that it never entered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Waiting in the pool's queue.
    pub queue: Option<Duration>,
    /// Connecting to the server; `None` on a reused connection as well.
    pub connect: Option<Duration>,
    /// From the request's first byte to the first byte of the server's answer.
    pub first_byte: Option<Duration>,
    /// From the request's first byte to the response's last.
    pub total: Option<Duration>,
}

impl Record<'_> {
    /// The version as request lines have it.
    pub(super) fn version_text(&self) -> &'static str {
        match self.version {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            // The type is opaque; HTTP/1.1 is the one that is left.
            _ => "HTTP/1.1",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A plain record, for tests to vary.
    pub(in crate::access_log) fn sample() -> Record<'static> {
        Record {
            kind: Kind::Http,
            started: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            client: SocketAddr::from(([192, 0, 2, 1], 40_000)),
            listener: "web",
            method: "GET",
            host: Some(b"www.example.com"),
            target: b"/a?b=c",
            version: Version::HTTP_11,
            status: 200,
            request_bytes: 0,
            response_bytes: 12,
            pool: Some("api"),
            server: Some("a1"),
            upstream: Some(SocketAddr::from(([10, 0, 0, 1], 8080))),
            tls: None,
            retries: 1,
            times: Times {
                queue: None,
                connect: Some(Duration::from_micros(250)),
                first_byte: Some(Duration::from_micros(1_500)),
                total: Some(Duration::from_secs(2)),
            },
            end: *b"--",
            cause: None,
            user_agent: Some(b"curl/8"),
            referer: None,
        }
    }

    /// Everything of a record that comes from outside, owned.
    #[derive(Debug, Clone)]
    pub(in crate::access_log) struct Outside {
        host: Option<Vec<u8>>,
        target: Vec<u8>,
        method: String,
        cause: Option<String>,
        user_agent: Option<Vec<u8>>,
        referer: Option<Vec<u8>>,
        status: u16,
        bytes: (u64, u64),
        client: (std::net::IpAddr, u16),
        at: Duration,
        total: Option<Duration>,
    }

    /// Texts as attackers choose them: any bytes, biased to those that a log must escape.
    pub(in crate::access_log) fn outside() -> impl Strategy<Value = Outside> {
        let byte = prop_oneof![
            any::<u8>(),
            prop::sample::select(b"\"\\\n\r\t\0\x1b\x7f\xc2\x9b\xe2\x80\xa8 /a".to_vec()),
        ];
        let bytes = || prop::collection::vec(byte.clone(), 0..60);
        let maybe = || prop::option::of(bytes());
        let text = || bytes().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let texts = (maybe(), bytes(), text(), prop::option::of(text()), maybe(), maybe());
        // Up to the end of the year 9999.
        let at = (0_u64..253_402_300_800, 0_u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n));
        let total = prop::option::of((0_u64..1 << 40).prop_map(Duration::from_micros));
        let numbers = (any::<u16>(), any::<(u64, u64)>(), any::<(std::net::IpAddr, u16)>(), at, total);
        (texts, numbers).prop_map(|(texts, numbers)| {
            let (host, target, method, cause, user_agent, referer) = texts;
            let (status, bytes, client, at, total) = numbers;
            Outside { host, target, method, cause, user_agent, referer, status, bytes, client, at, total }
        })
    }

    impl Outside {
        pub(in crate::access_log) fn record(&self) -> Record<'_> {
            Record {
                started: SystemTime::UNIX_EPOCH + self.at,
                client: self.client.into(),
                method: &self.method,
                host: self.host.as_deref(),
                target: &self.target,
                status: self.status,
                request_bytes: self.bytes.0,
                response_bytes: self.bytes.1,
                times: Times { total: self.total, ..Times::default() },
                cause: self.cause.as_deref(),
                user_agent: self.user_agent.as_deref(),
                referer: self.referer.as_deref(),
                ..sample()
            }
        }
    }
}
