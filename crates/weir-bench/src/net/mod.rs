//! What the injector and the origin share: epoll, connections that are plain or in TLS, the framing of HTTP/1 bodies,
//! and what a thread has used of a processor. Everything here is nonblocking, and nothing knows who calls.

pub(crate) mod account;
pub(crate) mod chunked;
pub(crate) mod link;
pub(crate) mod poller;
