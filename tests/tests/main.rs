//! The product's tests: the real binary, one module a topic. See the crate `weir_tests` for what they are
//! written with.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it saw"
)]

mod access_log;
mod admin_tls;
mod balancing;
mod cli;
mod connect;
mod drain;
mod grpc;
mod health;
mod http;
mod http2;
mod http2_floods;
mod http2_frames;
mod http2_servers;
mod names;
mod overload;
mod pass_through;
mod proxy_protocol;
mod real_peers;
mod reload;
mod retries;
mod routing;
mod saving;
mod soak;
mod strict;
mod tcp;
mod timeouts;
mod tls;
mod tls_files;
mod tls_servers;
mod udp;
mod websocket;
