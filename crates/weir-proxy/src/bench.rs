//! Private steps, each as one call, for `benches/` and the fuzz targets alone. No part of what this crate offers.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Version};
use weir_config::model;

use crate::exchange::forward::{self, Client};
use crate::fields::FieldLines;
use crate::head::{RequestHead, ResponseHead};
use crate::http1::{self, DateCache, ResponseFraming};
use crate::proxy_protocol::{self, Progress};
use crate::snapshot::ServerStatus;

/// A request's head.
#[derive(Debug, Clone)]
pub struct Request(RequestHead);

impl Request {
    /// Of judged bytes, whose field lines are known.
    #[must_use]
    pub fn parse(head: Bytes, fields: FieldLines) -> Option<Self> {
        http1::parse_request(head, 0, fields).map(Self)
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Rewrites it for a server, and appends it to `out`.
    pub fn forward(
        &mut self,
        listener: &model::Listener,
        peer: SocketAddr,
        server: &model::ServerAddress,
        out: &mut Vec<u8>,
    ) {
        let client = Client::of(listener, peer, None, &self.0.fields);
        forward::request(&mut self.0, listener, &client, server, false);
        http1::request_head(out, &self.0);
    }
}

/// A response's head.
#[derive(Debug, Clone)]
pub struct Response(ResponseHead);

impl Response {
    /// Of judged bytes, whose field lines are known.
    #[must_use]
    pub fn parse(head: Bytes, fields: FieldLines) -> Option<Self> {
        http1::parse_response(head, fields).map(Self)
    }

    /// Rewrites it for a client, and appends it to `out`.
    pub fn forward(&mut self, listener: &model::Listener, date: &Date, out: &mut Vec<u8>) {
        forward::response(&mut self.0, listener);
        let framing = ResponseFraming {
            version: Version::HTTP_11,
            to_head: false,
            persistent: true,
            tunnel: false,
            date: &date.0,
        };
        http1::response_head(out, &self.0, framing);
    }
}

/// What a worker knows of the time of day.
#[derive(Default)]
pub struct Date(DateCache);

/// One server, as all workers share it.
pub struct SharedServer(ServerStatus);

impl SharedServer {
    /// A server for `workers`.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self(ServerStatus::new(workers))
    }

    /// What an exchange does with what workers share of it: takes a place, says that all went well, leaves.
    pub fn exchange(&self) {
        self.0.enter(u32::MAX);
        self.0.succeeded();
        self.0.leave();
    }
}

/// How long the PROXY header is that these bytes begin with: `Ok(None)` while more are needed.
///
/// # Errors
/// As soon as they can't be the beginning of one any more.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<usize>, String> {
    match proxy_protocol::parse(bytes) {
        Ok(Progress::More) => Ok(None),
        Ok(Progress::Whole(_, length)) => Ok(Some(length)),
        Err(malformed) => Err(malformed.to_string()),
    }
}
