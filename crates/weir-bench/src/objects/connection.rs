//! One client's connection: heads in, bodies thrown away, answers out, as far as it goes at once.
//!
//! It holds bytes only of a head that came in pieces, or that came ahead of its turn; whatever it waits for has an end,
//! which its thread sees to.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::answer::{self, Answer, Cache, FILLER, FILLER_BYTES, Then};
use super::counters::{AllCounters, Counters};
use super::request::{self, BadRequest, Body, HEAD_BYTES_MAX, Request};
use super::wish;
use crate::net::chunked::Chunked;
use crate::net::link::{Got, Link};

/// What a thread lends the connection whose turn it is.
pub(super) struct Desk<'a> {
    pub(super) all: &'a AllCounters,
    pub(super) counters: &'a Counters,
    pub(super) room: &'a mut [u8],
    pub(super) cache: &'a mut Cache,
    pub(super) chance: &'a mut fastrand::Rng,
    pub(super) now: Instant,
    /// The client has ended its side, or the connection is broken: what is read last says so, and nothing else will.
    pub(super) is_ending: bool,
}

/// What a connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits for its peer.
    Wait,
    /// It waits for its peer to take more.
    WaitToWrite,
    /// It is to go on at this time.
    Sleep(Instant),
    /// It is over.
    Close,
    /// It is over, with a reset.
    Reset,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) link: Link,
    /// Since when it has waited.
    since: Instant,
    /// Whether its thread is told of room to write.
    pub(super) watches_write: bool,
    /// When its thread is to wake it.
    pub(super) wakes: Option<Instant>,
    /// All that had come was read: the next will be told.
    is_drained: bool,
    /// Whether it is in the counters.
    is_counted: bool,
    state: State,
    /// What has come and was not used.
    unused: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Handshake,
    Head,
    Body(Left, Reply),
    Delay(Instant, Rc<Answer>),
    Answer { answer: Rc<Answer>, sent: usize, filler: u64 },
    Hang,
}

/// What is left of a request's body.
#[derive(Debug)]
enum Left {
    Bytes(u64),
    Chunks(Chunked),
}

/// What a request gets, and how late.
#[derive(Debug)]
struct Reply {
    answer: Rc<Answer>,
    delay: Duration,
}

impl Connection {
    pub(super) fn new(link: Link, now: Instant, counters: &Counters) -> Self {
        counters.connections.add(1);
        let state = if link.is_plain() { State::Head } else { State::Handshake };
        Self {
            link,
            since: now,
            watches_write: false,
            wakes: None,
            is_drained: false,
            is_counted: true,
            state,
            unused: Vec::new(),
        }
    }

    /// Goes on as far as it can.
    pub(super) fn go_on(&mut self, desk: &mut Desk<'_>) -> Next {
        self.since = desk.now;
        self.is_drained = false;
        // A client that breaks off is its own affair.
        self.steps(desk).unwrap_or(Next::Close)
    }

    /// Whether it has waited for longer than this, and for its client.
    pub(super) fn is_idle(&self, now: Instant, most: Duration) -> bool {
        !matches!(self.state, State::Delay(..)) && now.saturating_duration_since(self.since) > most
    }

    /// It is over.
    pub(super) fn end(&mut self, counters: &Counters) {
        self.link.farewell();
        if self.is_counted {
            counters.ended.add(1);
        }
    }

    fn steps(&mut self, desk: &mut Desk<'_>) -> io::Result<Next> {
        loop {
            let next = match &mut self.state {
                State::Handshake => {
                    if !self.link.shake_hands()? {
                        return Ok(Next::WaitToWrite);
                    }
                    self.state = State::Head;
                    None
                }
                State::Head | State::Body(..) => self.read(desk)?,
                State::Delay(until, answer) => {
                    if *until > desk.now {
                        return Ok(Next::Sleep(*until));
                    }
                    let answer = Rc::clone(answer);
                    self.begin(answer);
                    None
                }
                State::Answer { .. } => self.write(desk)?,
                State::Hang => {
                    // Only to see the end of it.
                    match self.link.recv(desk.room)? {
                        Got::Bytes(..) => None,
                        Got::Nothing => Some(Next::Wait),
                        Got::End => Some(Next::Close),
                    }
                }
            };
            if let Some(next) = next {
                return Ok(next);
            }
        }
    }

    /// Uses what is there, then what comes, until a request is whole or nothing more comes.
    fn read(&mut self, desk: &mut Desk<'_>) -> io::Result<Option<Next>> {
        if !self.unused.is_empty() {
            self.take_unused(desk)?;
            if !matches!(self.state, State::Head | State::Body(..)) {
                return Ok(None);
            }
        }
        if self.is_drained {
            return Ok(Some(Next::Wait));
        }
        let room = std::mem::take(&mut desk.room);
        let outcome = self.receive(room, desk);
        desk.room = room;
        outcome
    }

    fn receive(&mut self, room: &mut [u8], desk: &mut Desk<'_>) -> io::Result<Option<Next>> {
        loop {
            let (count, is_more) = match self.link.recv(room)? {
                Got::Bytes(count, is_more) => (count, is_more),
                Got::Nothing => return Ok(Some(Next::Wait)),
                Got::End => return Ok(Some(Next::Close)),
            };
            desk.counters.bytes_received.add(count as u64);
            self.is_drained = !is_more && !desk.is_ending;
            if self.unused.is_empty() {
                let used = self.take(&room[..count], desk)?;
                self.unused.extend_from_slice(&room[used..count]);
            } else {
                self.unused.extend_from_slice(&room[..count]);
                self.take_unused(desk)?;
            }
            if !matches!(self.state, State::Head | State::Body(..)) {
                return Ok(None);
            }
            if self.is_drained {
                return Ok(Some(Next::Wait));
            }
        }
    }

    /// Uses what is kept, up to the end of one request at most.
    fn take_unused(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        let unused = std::mem::take(&mut self.unused);
        let used = self.take(&unused, desk)?;
        self.unused = unused;
        self.unused.drain(..used);
        Ok(())
    }

    /// Uses bytes up to the end of one request at most; how many.
    fn take(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> io::Result<usize> {
        let mut used = 0;
        if matches!(self.state, State::Head) {
            match request::read(bytes) {
                Ok(None) => return Ok(0),
                Ok(Some(request)) => {
                    used = request.head_bytes;
                    self.head(&request, bytes, desk)?;
                }
                Err(why) => {
                    desk.counters.requests.add(1);
                    let (status, text) = match why {
                        BadRequest::Malformed => (400, "this is no request of HTTP/1\n".to_owned()),
                        BadRequest::TooLong => {
                            (431, format!("a head has {HEAD_BYTES_MAX} bytes and 100 fields at most\n"))
                        }
                    };
                    self.begin(Rc::new(answer::text(status, TEXT, &text, None)));
                    return Ok(bytes.len());
                }
            }
        }
        let State::Body(left, reply) = &mut self.state else { return Ok(used) };
        let rest = &bytes[used..];
        let (taken, is_whole) = match left {
            Left::Bytes(left) => {
                let taken = (rest.len() as u64).min(*left);
                *left -= taken;
                (usize::try_from(taken).unwrap_or(rest.len()), *left == 0)
            }
            Left::Chunks(chunked) => {
                let (taken, _) = chunked.take(rest).map_err(|_| io::ErrorKind::InvalidData)?;
                (taken, chunked.is_done())
            }
        };
        if is_whole {
            let (answer, delay) = (Rc::clone(&reply.answer), reply.delay);
            if delay.is_zero() {
                self.begin(answer);
            } else {
                self.state = State::Delay(desk.now + delay, answer);
            }
        }
        Ok(used + taken)
    }

    /// Decides what a request gets; its body comes first.
    fn head(&mut self, request: &Request, bytes: &[u8], desk: &mut Desk<'_>) -> io::Result<()> {
        let target = &bytes[request.target.clone()];
        let reply = if target == b"/stats" {
            if self.is_counted {
                self.is_counted = false;
                desk.counters.connections.take_back(1);
            }
            let text = serde_json::to_string(&desk.all.read())?;
            Reply {
                answer: Rc::new(answer::text(200, "application/json", &text, Some(request))),
                delay: Duration::ZERO,
            }
        } else {
            desk.counters.requests.add(1);
            reply(target, request, desk)
        };
        if request.wants_continue && request.body != Body::Bytes(0) {
            self.link.send(b"HTTP/1.1 100 Continue\r\n\r\n", false)?;
        }
        let left = match request.body {
            Body::Bytes(count) => Left::Bytes(count),
            Body::Chunked => Left::Chunks(Chunked::default()),
        };
        self.state = State::Body(left, reply);
        Ok(())
    }

    fn begin(&mut self, answer: Rc<Answer>) {
        self.state = match answer.then {
            Then::Hang => State::Hang,
            Then::Next | Then::End | Then::Reset => State::Answer { sent: 0, filler: answer.filler, answer },
        };
    }

    /// Sends the answer; none when it is sent and there may be another request.
    fn write(&mut self, desk: &Desk<'_>) -> io::Result<Option<Next>> {
        let State::Answer { answer, sent, filler } = &mut self.state else { return Ok(None) };
        let is_last = answer.then == Then::End;
        while *sent < answer.bytes.len() {
            // The end of the connection goes out with the last bytes, and filler with those before it.
            let count = self.link.send(&answer.bytes[*sent..], *filler > 0 || is_last)?;
            if count == 0 {
                return Ok(Some(Next::WaitToWrite));
            }
            *sent += count;
            desk.counters.bytes_sent.add(count as u64);
        }
        while *filler > 0 {
            let piece = usize::try_from(*filler).unwrap_or(usize::MAX).min(FILLER_BYTES);
            let count = self.link.send(&FILLER[..piece], *filler > piece as u64 || is_last)?;
            if count == 0 {
                return Ok(Some(Next::WaitToWrite));
            }
            *filler -= count as u64;
            desk.counters.bytes_sent.add(count as u64);
        }
        if !self.link.flush()? {
            return Ok(Some(Next::WaitToWrite));
        }
        if self.is_counted {
            desk.counters.answers.add(1);
        }
        let then = answer.then;
        self.state = State::Head;
        Ok(match then {
            Then::Next | Then::Hang => None,
            Then::End => Some(Next::Close),
            Then::Reset => Some(Next::Reset),
        })
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn reply(target: &[u8], request: &Request, desk: &mut Desk<'_>) -> Reply {
    if let Some(answer) = desk.cache.get(target, request) {
        return Reply { answer, delay: Duration::ZERO };
    }
    let text = String::from_utf8_lossy(target);
    let wish = match wish::read(&text) {
        Ok(wish) => wish,
        Err(why) => {
            let answer = Rc::new(answer::text(400, TEXT, &format!("{}\n", why.trim_end()), Some(request)));
            return Reply { answer, delay: Duration::ZERO };
        }
    };
    let size = wish.bytes(desk.chance.f64());
    if wish.is_chunked && size > answer::CHUNKED_BYTES_MAX {
        let why = format!("a body in chunks has {} bytes at most\n", answer::CHUNKED_BYTES_MAX);
        let answer = Rc::new(answer::text(400, TEXT, &why, Some(request)));
        return Reply { answer, delay: Duration::ZERO };
    }
    let answer = Rc::new(answer::make(&wish, size, request));
    if wish.is_plain() {
        desk.cache.put(target, request, Rc::clone(&answer));
    }
    Reply { answer, delay: wish.delay(desk.chance.f64()) }
}
