//! The TLS ClientHello of a connection that is passed on unopened: looked into for the name and the protocols
//! it asks for, and passed on as it came.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::server::{Accepted, Acceptor};

use super::watchdog::{Wait, Watchdog};
use crate::exchange::failure::Failure;
use crate::wire::Wire;
use crate::worker::local::Local;

/// What is read at most: TLS allows 16 MiB, and nobody sends more than a few KiB.
const HELLO_BYTES_MAX: usize = 64 << 10;
/// How much is read at once.
const READ_BYTES: usize = 16 << 10;

/// What a ClientHello asks for.
#[derive(Debug, Default)]
pub(super) struct Hello {
    /// In lower case.
    pub(super) server_name: Option<Box<str>>,
    pub(super) alpn: Vec<Vec<u8>>,
}

/// Waits for a whole ClientHello, which stays stashed.
///
/// # Errors
/// When something else comes, or too much, or too slowly, or the client goes away.
pub(super) async fn read(
    local: &Rc<Local>,
    watchdog: &Watchdog,
    wire: &mut Wire,
    timeout: Duration,
) -> Result<Hello, Failure> {
    let mut acceptor = Acceptor::default();
    let mut seen = 0;
    let hello = poll_fn(|cx| poll(&mut acceptor, &mut seen, wire, local, cx));
    watchdog.within(Wait::RequestHead, timeout, hello).await.map_err(|_| Failure::DownstreamHelloTimeout)?
}

fn poll(
    acceptor: &mut Acceptor,
    seen: &mut usize,
    wire: &mut Wire,
    local: &Local,
    cx: &mut Context<'_>,
) -> Poll<Result<Hello, Failure>> {
    loop {
        let unseen = &wire.stash[*seen..];
        *seen = wire.stash.len();
        if let Some(accepted) = feed(acceptor, unseen)? {
            return Poll::Ready(Ok(Hello::of(&accepted)));
        }
        if wire.stash.len() >= HELLO_BYTES_MAX {
            return Poll::Ready(Err(Failure::DownstreamHello));
        }
        match ready!(wire.poll_fill(&local.arena, READ_BYTES, cx)) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Poll::Ready(Err(Failure::DownstreamGone)),
        }
    }
}

/// Gives the reader of TLS what it has not seen.
fn feed(acceptor: &mut Acceptor, mut unseen: &[u8]) -> Result<Option<Accepted>, Failure> {
    while !unseen.is_empty() {
        acceptor.read_tls(&mut unseen).map_err(|_| Failure::DownstreamHello)?;
        if let Some(accepted) = acceptor.accept().map_err(|_| Failure::DownstreamHello)? {
            return Ok(Some(accepted));
        }
    }
    Ok(None)
}

impl Hello {
    fn of(accepted: &Accepted) -> Self {
        let hello = accepted.client_hello();
        Self {
            server_name: hello.server_name().map(|name| name.to_ascii_lowercase().into()),
            alpn: hello.alpn().into_iter().flatten().map(<[u8]>::to_vec).collect(),
        }
    }
}
