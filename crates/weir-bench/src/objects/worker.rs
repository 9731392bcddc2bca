//! One thread of the origin: its own listener, its own connections, nothing shared but counters that only it writes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};

use super::answer::Cache;
use super::connection::{Connection, Desk, Next};
use super::counters::AllCounters;
use crate::net::link::Link;
use crate::net::poller::Poller;

/// The number of the listener among what is watched.
const LISTENER: u64 = u64::MAX;

/// Connections that are accepted before others have their turn.
const ACCEPT_AT_ONCE: usize = 64;

/// How often a thread looks whether it is to end, and for connections that wait too long.
const LOOK: Duration = Duration::from_millis(200);

/// Room for what one read brings.
const ROOM_BYTES: usize = 64 << 10;

/// What a thread is made of.
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) listener: OwnedFd,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) all: Arc<AllCounters>,
    pub(super) connections_max: usize,
    pub(super) idle: Duration,
    pub(super) stop: Arc<AtomicBool>,
}

impl Worker {
    /// Serves until it is to end.
    ///
    /// # Errors
    /// When epoll fails, which it has no reason to.
    pub(super) fn serve(self) -> io::Result<()> {
        let mut poller = Poller::new()?;
        poller.add_listener(&self.listener, LISTENER)?;
        self.all.threads[self.number].adopt();
        let mut hall = Hall {
            connections: Vec::new(),
            free: Vec::new(),
            sleepers: BinaryHeap::new(),
            tools: Tools { room: vec![0; ROOM_BYTES], cache: Cache::default(), chance: fastrand::Rng::new() },
            is_accepting: true,
            worker: self,
        };
        let mut look = Instant::now() + LOOK;
        while !hall.worker.stop.load(Ordering::Relaxed) {
            let until = hall.sleepers.peek().map_or(look, |Reverse((at, _))| look.min(*at));
            let count = poller.wait(until.saturating_duration_since(Instant::now()))?;
            let now = Instant::now();
            for at in 0..count {
                let ready = poller.ready(at);
                if ready.token == LISTENER {
                    hall.accept(&poller, now)?;
                } else {
                    hall.go_on(&poller, ready.token, ready.is_ended || ready.is_broken, now);
                }
            }
            hall.wake(&poller, now);
            if now >= look {
                look = now + LOOK;
                hall.look(&poller, now)?;
            }
        }
        Ok(())
    }
}

/// The connections of a thread, and what they share.
struct Hall {
    worker: Worker,
    connections: Vec<Place>,
    free: Vec<u32>,
    sleepers: BinaryHeap<Reverse<(Instant, u64)>>,
    tools: Tools,
    is_accepting: bool,
}

/// What the connection whose turn it is works with.
struct Tools {
    room: Vec<u8>,
    cache: Cache,
    chance: fastrand::Rng,
}

/// A place for a connection. Its age tells who is meant by a number that was given out before.
struct Place {
    age: u32,
    connection: Option<Connection>,
}

impl Hall {
    fn accept(&mut self, poller: &Poller, now: Instant) -> io::Result<()> {
        for _ in 0..ACCEPT_AT_ONCE {
            if self.connections.len() - self.free.len() >= self.worker.connections_max {
                return self.watch(poller, false);
            }
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = match accept_with(&self.worker.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                // Whoever hung up while waiting.
                Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => continue,
                // No files or memory left: until the next look, others have to do.
                Err(_) => return self.watch(poller, false),
            };
            self.begin(poller, socket, now);
        }
        Ok(())
    }

    fn begin(&mut self, poller: &Poller, socket: OwnedFd, now: Instant) {
        let link = match &self.worker.tls {
            None => Link::plain(socket),
            Some(config) => {
                // Records of a handshake are small and wait for nobody.
                let _ = sockopt::set_tcp_nodelay(&socket, true);
                match rustls::ServerConnection::new(Arc::clone(config)) {
                    Ok(tls) => Link::tls(socket, tls.into()),
                    Err(_) => return,
                }
            }
        };
        let counters = &self.worker.all.threads[self.worker.number];
        let mut connection = Connection::new(link, now, counters);
        // Its request is nearly always here already.
        let next = turn(&mut connection, false, now, &self.worker, &mut self.tools);
        if matches!(next, Next::Close | Next::Reset) {
            finish(connection, next, &self.worker);
            return;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.connections.push(Place { age: 0, connection: None });
            u32::try_from(self.connections.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.connections[at as usize];
        let token = token(at, place.age);
        connection.watches_write = next == Next::WaitToWrite;
        if poller.add(&connection.link, token, connection.watches_write).is_err() {
            self.free.push(at);
            finish(connection, Next::Close, &self.worker);
            return;
        }
        if let Next::Sleep(until) = next {
            connection.wakes = Some(until);
            self.sleepers.push(Reverse((until, token)));
        }
        place.connection = Some(connection);
    }

    fn go_on(&mut self, poller: &Poller, token: u64, is_ending: bool, now: Instant) {
        let (at, age) = parts(token);
        let Some(place) = self.connections.get_mut(at as usize).filter(|place| place.age == age) else {
            return;
        };
        let Some(connection) = &mut place.connection else { return };
        let next = turn(connection, is_ending, now, &self.worker, &mut self.tools);
        match next {
            Next::Wait => {}
            Next::WaitToWrite => {
                if !connection.watches_write {
                    connection.watches_write = poller.watch_write(&connection.link, token).is_ok();
                }
            }
            // Once for each answer, whatever happens meanwhile.
            Next::Sleep(until) if connection.wakes == Some(until) => {}
            Next::Sleep(until) => {
                connection.wakes = Some(until);
                self.sleepers.push(Reverse((until, token)));
            }
            Next::Close | Next::Reset => self.close(at, next),
        }
    }

    fn close(&mut self, at: u32, how: Next) {
        let place = &mut self.connections[at as usize];
        if let Some(connection) = place.connection.take() {
            place.age = place.age.wrapping_add(1);
            self.free.push(at);
            finish(connection, how, &self.worker);
        }
    }

    /// Those whose time has come.
    fn wake(&mut self, poller: &Poller, now: Instant) {
        while self.sleepers.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            if let Some(Reverse((_, token))) = self.sleepers.pop() {
                // Whatever its client did meanwhile has to be read.
                self.go_on(poller, token, true, now);
            }
        }
    }

    /// Closes what has waited too long, and accepts again.
    fn look(&mut self, poller: &Poller, now: Instant) -> io::Result<()> {
        for at in 0..self.connections.len() {
            let connection = self.connections[at].connection.as_ref();
            if connection.is_some_and(|connection| connection.is_idle(now, self.worker.idle)) {
                self.close(u32::try_from(at).unwrap_or(u32::MAX), Next::Close);
            }
        }
        if self.is_accepting { Ok(()) } else { self.watch(poller, true) }
    }

    fn watch(&mut self, poller: &Poller, watch: bool) -> io::Result<()> {
        self.is_accepting = watch;
        poller.watch_listener(&self.worker.listener, LISTENER, watch)
    }
}

fn turn(
    connection: &mut Connection,
    is_ending: bool,
    now: Instant,
    worker: &Worker,
    tools: &mut Tools,
) -> Next {
    let (all, counters) = (&*worker.all, &worker.all.threads[worker.number]);
    let Tools { room, cache, chance } = tools;
    connection.go_on(&mut Desk { all, counters, room, cache, chance, now, is_ending })
}

fn finish(mut connection: Connection, how: Next, worker: &Worker) {
    if how == Next::Reset {
        let _ = sockopt::set_socket_linger(&connection.link, Some(Duration::ZERO));
    }
    connection.end(&worker.all.threads[worker.number]);
}

fn token(at: u32, age: u32) -> u64 {
    u64::from(age) << 32 | u64::from(at)
}

fn parts(token: u64) -> (u32, u32) {
    ((token & u64::from(u32::MAX)) as u32, (token >> 32) as u32)
}
