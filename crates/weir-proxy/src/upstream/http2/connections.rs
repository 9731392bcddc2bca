//! The HTTP/2 connections of one worker to one server, shared by its exchanges.
//!
//! Each is driven by a task of its own, which opened it and ends with it. It takes exchanges once the server's
//! SETTINGS are known, so that what it allows is known, and that it speaks HTTP/2 at all: RFC 9113 section 3.4
//! lets a client send requests before that, at the price of having them refused. One is opened at a time; who
//! comes meanwhile waits for it, and shares its fate.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, Reason};
use tokio::sync::Notify;
use weir_config::model::Pool;

use crate::upstream::dial::DialError;
use crate::wire::Socket;

/// What h2 buffers of one request's body before it is written, in bytes.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// One worker's HTTP/2 connections to one server.
#[derive(Default)]
pub(crate) struct Connections(Rc<Inner>);

#[derive(Default)]
struct Inner {
    /// Those that take exchanges, as far as is known.
    live: RefCell<Vec<Rc<Shared>>>,
    opening: RefCell<Option<Rc<Opening>>>,
    /// A connection was opened or could not be, or one has room again.
    changed: Notify,
    limits: Cell<Limits>,
}

/// What holds for the next connections and exchanges.
#[derive(Clone, Copy, Default)]
struct Limits {
    connections_max: usize,
    streams_max: usize,
    stream_window_bytes: u32,
    header_list_bytes_max: u32,
    connect: Duration,
    keep_alive: Duration,
}

/// A connection that is being opened.
#[derive(Default)]
struct Opening {
    failed: OnceCell<DialError>,
}

/// A connection that exchanges share.
struct Shared {
    sender: SendRequest<Bytes>,
    exchanges: Cell<usize>,
    /// An exchange was here before.
    used: Cell<bool>,
    /// No further exchange is to come here.
    retired: Cell<bool>,
    idle_since: Cell<Instant>,
    of: Weak<Inner>,
}

/// One exchange's place on a connection; given back when dropped.
pub(crate) struct Place {
    shared: Rc<Shared>,
    /// An exchange was here before this one.
    pub(crate) reused: bool,
}

impl Connections {
    /// The same connections, for the next view of the same server.
    pub(crate) fn share(&self) -> Self {
        Self(Rc::clone(&self.0))
    }

    /// What holds from now on, `workers` sharing a server's connections.
    pub(crate) fn configure(&self, pool: &Pool, workers: usize) {
        self.0.limits.set(Limits {
            connections_max: (pool.http2.connections as usize).div_ceil(workers),
            streams_max: pool.http2.streams as usize,
            stream_window_bytes: pool.http2.stream_window_bytes as u32,
            header_list_bytes_max: pool.limits.response_head_bytes as u32,
            connect: pool.timeouts.connect,
            keep_alive: pool.timeouts.keep_alive,
        });
    }

    /// A place on a connection that has room.
    pub(crate) fn take(&self) -> Option<Place> {
        self.0.take()
    }

    /// A place, waiting for one if need be; `dial` opens a socket when another connection is needed.
    ///
    /// # Errors
    /// Why the connection that was waited for could not be opened.
    pub(crate) async fn place<F>(&self, dial: impl Fn() -> F) -> Result<Place, DialError>
    where
        F: Future<Output = Result<Socket, DialError>> + 'static,
    {
        loop {
            // Enabled before the look: room made in between is not missed.
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if let Some(place) = self.0.take() {
                return Ok(place);
            }
            let opening = self.0.opening(&dial);
            changed.await;
            if let Some(error) = opening.as_ref().and_then(|opening| opening.failed.get()) {
                return Err(error.again());
            }
        }
    }

    /// Closes what had no exchange for too long, and forgets what has ended.
    pub(crate) fn sweep(&self) {
        let mut live = self.0.live.borrow_mut();
        if live.is_empty() {
            return;
        }
        let now = Instant::now();
        let keep_alive = self.0.limits.get().keep_alive;
        live.retain(|shared| {
            let idle = shared.exchanges.get() == 0 && now - shared.idle_since.get() >= keep_alive;
            !idle && !shared.retired.get() && shared.is_open()
        });
    }
}

impl Inner {
    fn take(&self) -> Option<Place> {
        let mut live = self.live.borrow_mut();
        live.retain(|shared| !shared.retired.get());
        let streams_max = self.limits.get().streams_max;
        let mut index = 0;
        while let Some(shared) = live.get(index) {
            if shared.exchanges.get() >= streams_max.min(shared.sender.current_max_send_streams()) {
                index += 1;
            } else if shared.is_open() {
                return Some(Place::new(shared));
            } else {
                live.remove(index);
            }
        }
        None
    }

    /// The connection that is being opened, perhaps from now on; `None` when there are enough.
    fn opening<F>(self: &Rc<Self>, dial: impl Fn() -> F) -> Option<Rc<Opening>>
    where
        F: Future<Output = Result<Socket, DialError>> + 'static,
    {
        let mut opening = self.opening.borrow_mut();
        if opening.is_none() && self.live.borrow().len() < self.limits.get().connections_max {
            let begun = Rc::new(Opening::default());
            *opening = Some(Rc::clone(&begun));
            // Not in the exchange that began it, which may be given up while others wait for the connection.
            let work = serve(Rc::downgrade(self), begun, self.limits.get(), dial());
            tokio::task::spawn_local(work);
        }
        opening.clone()
    }

    /// The connection is opened, or can't be.
    fn opened(
        self: &Rc<Self>,
        opening: &Opening,
        sender: Result<SendRequest<Bytes>, DialError>,
    ) -> Weak<Shared> {
        let shared = match sender {
            Ok(sender) => {
                let shared = Rc::new(Shared {
                    sender,
                    exchanges: Cell::new(0),
                    used: Cell::new(false),
                    retired: Cell::new(false),
                    idle_since: Cell::new(Instant::now()),
                    of: Rc::downgrade(self),
                });
                let weak = Rc::downgrade(&shared);
                self.live.borrow_mut().push(shared);
                weak
            }
            Err(error) => {
                let _ = opening.failed.set(error); // set nowhere else
                Weak::new()
            }
        };
        self.opening.borrow_mut().take();
        self.changed.notify_waiters();
        shared
    }
}

/// Opens a connection and drives it to its end.
async fn serve(
    of: Weak<Inner>,
    opening: Rc<Opening>,
    limits: Limits,
    dialling: impl Future<Output = Result<Socket, DialError>>,
) {
    let opened = match tokio::time::timeout(limits.connect, open(limits, dialling)).await {
        Ok(opened) => opened,
        Err(_elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, "HTTP/2 did not begin in time").into()),
    };
    let Some(inner) = of.upgrade() else { return };
    let (sender, connection) = match opened {
        Ok((sender, connection)) => (Ok(sender), Some(connection)),
        Err(error) => (Err(error), None),
    };
    let shared = inner.opened(&opening, sender);
    drop(inner);
    let Some(connection) = connection else { return };
    if let Err(error) = connection.await {
        tracing::debug!(%error, "HTTP/2 connection to a server ended");
    }
    if let Some(shared) = shared.upgrade() {
        shared.retired.set(true);
    }
    if let Some(inner) = of.upgrade() {
        inner.live.borrow_mut().retain(|shared| !shared.retired.get());
        inner.changed.notify_one(); // who waits for room may open another
    }
}

/// Connects, begins HTTP/2 and waits for the server's SETTINGS.
async fn open(
    limits: Limits,
    dialling: impl Future<Output = Result<Socket, DialError>>,
) -> Result<(SendRequest<Bytes>, Connection<Socket, Bytes>), DialError> {
    let socket = dialling.await?;
    // As large as all streams' windows together: one that nobody reads never takes another's room.
    let connection_window = (limits.stream_window_bytes as usize)
        .saturating_mul(limits.streams_max)
        .clamp(CONNECTION_WINDOW_MIN, CONNECTION_WINDOW_MAX);
    let (sender, mut connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(connection_window as u32)
        .data_frame_budget(connection_window.saturating_mul(SMALL_FRAMES_FACTOR))
        .max_header_list_size(limits.header_list_bytes_max)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .handshake(socket)
        .await
        .map_err(not_begun)?;
    let mut pings = connection.ping_pong().ok_or(io::Error::from(io::ErrorKind::Unsupported))?;
    {
        // The server's SETTINGS come before whatever else it sends, so also before the answer to a ping.
        let mut pong = pin!(pings.ping(Ping::opaque()));
        poll_fn(|cx| {
            let pong = pong.as_mut().poll(cx);
            let ended = Pin::new(&mut connection).poll(cx);
            match (pong, ended) {
                (Poll::Ready(Ok(_)), _) => Poll::Ready(Ok(())),
                (_, Poll::Ready(Err(error))) => Poll::Ready(Err(not_begun(error))),
                (_, Poll::Ready(Ok(()))) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                (Poll::Ready(Err(_)) | Poll::Pending, Poll::Pending) => Poll::Pending,
            }
        })
        .await?;
    }
    if sender.current_max_send_streams() == 0 {
        return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the server allows no stream").into());
    }
    Ok((sender, connection))
}

/// RFC 9113 sections 6.9.2 and 6.9.1.
const CONNECTION_WINDOW_MIN: usize = 65_535;
const CONNECTION_WINDOW_MAX: usize = (1 << 31) - 1;
/// What frames may take in memory beyond the bytes in them, as a multiple of the window: h2 counts 256 bytes for
/// each that is smaller and not read yet, and ends the connection of whoever sends more. A gRPC stream of
/// messages of 20 bytes that its client does not read takes some ten times its window, and is not to end the
/// exchanges beside it.
const SMALL_FRAMES_FACTOR: usize = 8;

fn not_begun(error: h2::Error) -> io::Error {
    let reason = error.reason().unwrap_or(Reason::PROTOCOL_ERROR);
    error
        .into_io()
        .unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no sound HTTP/2: {reason}")))
}

impl Shared {
    /// Whether it still takes exchanges: no GOAWAY came, and nothing broke.
    fn is_open(&self) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        // Of a fresh handle this is never pending: it has no stream that waits.
        matches!(self.sender.clone().poll_ready(cx), Poll::Ready(Ok(())))
    }
}

impl Place {
    fn new(shared: &Rc<Shared>) -> Self {
        shared.exchanges.set(shared.exchanges.get() + 1);
        Self { shared: Rc::clone(shared), reused: shared.used.replace(true) }
    }

    /// Where the request goes.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.shared.sender.clone()
    }

    /// Keeps further exchanges off the connection, which may be dead without anybody having said so.
    pub(super) fn retire(&self) {
        self.shared.retired.set(true);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.exchanges.set(shared.exchanges.get() - 1);
        shared.idle_since.set(Instant::now());
        if let Some(of) = shared.of.upgrade() {
            of.changed.notify_one();
        }
    }
}
