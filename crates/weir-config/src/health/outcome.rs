//! What one probe found: a sign of life, or the reason why there was none.
//!
//! Values are plain and comparable; an `io::Error` is kept as its kind. `Display` of a [`ProbeError`] is
//! the short cause that logs, the API and the dashboard show.

use std::io;
use std::time::{Duration, SystemTime};

use http::StatusCode;

/// What one probe found.
pub type ProbeOutcome = Result<Passed, ProbeError>;

/// The server passed the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// The status it answered with; `None` for a check that only connects.
    pub status: Option<StatusCode>,
}

/// Why the server did not pass the check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Its name stands for no address; nothing was sent. The prober never says this: whoever resolves does.
    #[error("its name does not resolve")]
    Unresolved,
    /// No connection within the timeout.
    #[error("no connection within the timeout")]
    ConnectTimeout,
    /// Nobody listens there.
    #[error("connection refused")]
    ConnectRefused,
    /// No connection, for another reason: no route, no local port left.
    #[error("can't connect: {0}")]
    Connect(io::ErrorKind),
    /// Connected, but the two ends did not agree on TLS, or the server is not whom its certificate must be for.
    #[error("no TLS: {0}")]
    Tls(String),
    /// Connected, but no whole answer within the timeout.
    #[error("no answer within the timeout")]
    Timeout,
    /// The server closed the connection before its answer was whole.
    #[error("closed the connection before an answer")]
    NoAnswer,
    /// The connection broke before the answer was whole.
    #[error("the connection broke: {0}")]
    Broken(io::ErrorKind),
    /// What came back is not sound HTTP; the text says why.
    #[error("the answer is not valid HTTP: {0}")]
    Malformed(String),
    /// A status outside the expected ranges.
    #[error("status {}", .0.as_u16())]
    BadStatus(StatusCode),
    /// The expected text is not in the first 64 KiB of the body.
    #[error("the body lacks the expected text")]
    BodyMismatch,
    /// The server says of itself that it is not serving, or does not know the service.
    #[error("{0}")]
    NotServing(&'static str),
    /// The server answered a gRPC check with an error: its `grpc-status`.
    #[error("grpc-status {0}")]
    GrpcStatus(u32),
    /// The check's own request can't be built: its path or host is not valid in HTTP.
    #[error("the check's request is not valid: {0}")]
    LocalRequest(String),
}

/// A finished probe, as the machine takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    /// What it found.
    pub outcome: ProbeOutcome,
    /// How long it took.
    pub took: Duration,
    /// When it ended, for people to read.
    pub ended: SystemTime,
}
