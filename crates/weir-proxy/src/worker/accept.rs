//! Accepting: from a socket to a session, within the limit on sessions.
//!
//! SO_REUSEPORT spreads connections by a hash, so a few long ones can meet on one worker: one that has
//! clearly more sessions than another hands the next connection over. A socket is never closed before the
//! connections in its queue were taken: nobody else would get them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SocketFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use weir_config::model::Name;

use super::Mail;
use super::local::Local;
use crate::session::{self, Incoming};

/// A socket that is accepted from until this is dropped.
pub(super) struct Acceptor {
    listener: Rc<RefCell<Name>>,
    /// Dropped with the rest: that is the signal to stop.
    _stop: oneshot::Sender<()>,
}

/// A worker hands over when it has this many sessions more than the least loaded one, or a quarter more.
const HAND_OVER_SESSIONS: u64 = 8;
/// How long accepting rests after an error that time may heal, such as too many open files, and how often a
/// worker at its limit looks whether a session has ended.
const PAUSE: Duration = Duration::from_millis(50);
/// The limit counts as reached anew when it was not for this long.
const LIMIT_OVER: Duration = Duration::from_secs(10);
/// A worker at its limit asks this part of its sessions at once to make room.
const SHED_PART: u64 = 64;
/// The most connections taken out of a socket's queue when it is closed.
const LAST_ACCEPTS_MAX: usize = 65_536;

impl Acceptor {
    pub(super) fn start(local: Rc<Local>, listener: Name, socket: TcpListener) -> io::Result<Self> {
        #[expect(deprecated, reason = "unsound for types that change their descriptor; this one doesn't")]
        let socket = AsyncFd::with_interest(socket, Interest::READABLE)?;
        let listener = Rc::new(RefCell::new(listener));
        let (stop, stopped) = oneshot::channel();
        tokio::task::spawn_local(accept_until(local, Rc::clone(&listener), socket, stopped));
        Ok(Self { listener, _stop: stop })
    }

    pub(super) fn reassign(&self, listener: Name) {
        *self.listener.borrow_mut() = listener;
    }
}

async fn accept_until(
    local: Rc<Local>,
    listener: Rc<RefCell<Name>>,
    socket: AsyncFd<TcpListener>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stopped => break,
            accepted = next(&local, &socket) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => dispatch(&local, listener.borrow().clone(), stream, peer),
            Err(error) => {
                accept_failed(&local, &error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let socket = socket.into_inner();
    for _ in 0..LAST_ACCEPTS_MAX {
        let Ok((stream, peer)) = accept(&socket) else { return };
        begin(&local, &listener.borrow(), stream, peer);
    }
}

/// The next connection, when there may be one more.
async fn next(local: &Local, socket: &AsyncFd<TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    while open_sessions(local, local.id) >= local.sessions_max() {
        let mut readiness = socket.readable().await?;
        if is_waited_for(socket.get_ref()) {
            permit(local).await;
        } else {
            readiness.clear_ready(); // room is made for somebody, not for nobody
        }
    }
    socket.async_io(Interest::READABLE, accept).await
}

/// Whether a connection waits in the socket's queue.
fn is_waited_for(socket: &TcpListener) -> bool {
    let mut poll = [PollFd::new(socket, PollFlags::IN)];
    rustix::event::poll(&mut poll, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Takes one connection out of the socket's queue, with one system call. The runtime is not told of it: see
/// [`Socket`](crate::wire::Socket).
fn accept(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (stream, peer) = rustix::net::acceptfrom_with(socket, flags)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    Ok((stream.into(), peer.ok_or(io::ErrorKind::AddrNotAvailable)?))
}

/// Waits while this worker's part of the limit on sessions is used up: new connections wait in the kernel.
/// Kept connections on which nothing is under way make room for them.
async fn permit(local: &Local) {
    let mut paused = false;
    while open_sessions(local, local.id) >= local.sessions_max() {
        say_limit(local);
        let shed = local.deadlines.shed((local.sessions_max() / SHED_PART) as usize + 1);
        if shed > 0 {
            local.counters().sessions_shed.add(shed as u64);
            tokio::task::yield_now().await; // they go now
            continue;
        }
        if !paused {
            paused = true;
            local.counters().accept_pauses.add(1);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One line for as long as the limit is reached again and again.
fn say_limit(local: &Local) {
    let now = Instant::now();
    let before = local.limit_reached.replace(Some(now));
    if before.is_none_or(|before| now - before >= LIMIT_OVER) {
        tracing::warn!(
            worker = local.id,
            sessions_max = local.sessions_max(),
            "limit on sessions reached (limits.sessions): idle connections are closed to make room; \
             where there are none, accepting pauses until a session ends"
        );
    }
}

fn dispatch(local: &Rc<Local>, listener: Name, stream: TcpStream, peer: SocketAddr) {
    local.counters().accepted.add(1);
    let mine = open_sessions(local, local.id);
    if mine < HAND_OVER_SESSIONS {
        return begin(local, &listener, stream, peer);
    }
    let others = (0..local.shared.mailboxes.len()).filter(|&other| other != local.id);
    let Some((least, other)) = others.map(|other| (open_sessions(local, other), other)).min() else {
        return begin(local, &listener, stream, peer);
    };
    if mine < least + HAND_OVER_SESSIONS.max(least / 4) {
        return begin(local, &listener, stream, peer);
    }
    let Ok(permit) = local.shared.mailboxes[other].try_reserve() else {
        return begin(local, &listener, stream, peer);
    };
    local.counters().handed_over.add(1);
    permit.send(Mail::Adopt { listener, socket: stream, peer });
}

/// Begins a session on a connection that this worker or another one accepted.
pub(super) fn begin(local: &Rc<Local>, listener: &str, stream: TcpStream, peer: SocketAddr) {
    // A listener that was removed meanwhile has nothing to say; its last connections are closed.
    let Some(listener) = local.view().listener(listener).cloned() else { return };
    let ended = Ended { local: Rc::clone(local), listener: Rc::clone(&listener) };
    local.counters().sessions.add(1);
    listener.counters().sessions.add(1);
    let config = Rc::clone(&listener);
    local.tick();
    let clock = Rc::clone(local);
    let mut session = session::serve(Rc::clone(local), listener, Incoming::new(stream, peer));
    let task = tokio::task::spawn_local(poll_fn(move |cx| {
        let _ended = &ended; // dropped with the session
        clock.tick();
        session.as_mut().poll(cx)
    }));
    local.sessions.add(&config.listener.config, task.abort_handle());
}

/// Counts a session's end, and its panic if it has one: the runtime keeps the panic from other sessions.
struct Ended {
    local: Rc<Local>,
    listener: Rc<super::local::LocalListener>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.local.counters().sessions_closed.add(1);
        self.listener.counters().sessions_closed.add(1);
        if std::thread::panicking() {
            self.local.counters().panics.add(1);
            tracing::error!(worker = self.local.id, "a session ended by a defect in Weir; please report it");
        }
    }
}

fn open_sessions(local: &Local, worker: usize) -> u64 {
    let counters = local.shared.counters.of(worker);
    // Read in this order, a session that begins and ends in between is not counted twice.
    let closed = counters.sessions_closed.get();
    counters.sessions.get().saturating_sub(closed)
}

fn accept_failed(local: &Local, error: &io::Error) {
    local.counters().accept_errors.add(1);
    tracing::warn!(worker = local.id, %error, "connection not accepted");
}
