//! HTTP/1.0 and 1.1: users on one epoll, each with one request at a time.
//!
//! A request on a kept connection costs one write and one read; one with a connection of its own costs the socket, the
//! connection, one write, one watch, one read and the end of it. So the first write is tried before the connection is
//! known to be there, the target's FIN is taken from the event that comes with the answer, and bodies are thrown away
//! by the kernel. Nothing is allocated for a request but what a socket is.
//!
//! All answers that one wait brings are taken before any of the next requests goes. Sending costs most of a request's
//! time, the target's end of loopback included, and an answer that waited behind the requests of others would count as
//! that much later; one kind of work at a time also keeps the kernel's code for it in the processor's caches.

use std::io;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::super::dial;
use super::super::outcome::ErrorKind;
use super::super::plan::user_start;
use super::super::request::is_last;
use super::super::response::{Ended, Memo};
use super::user::{State, Turn, User};
use super::{Pulse, Shared};
use crate::net::link::{Got, Link};
use crate::net::poller::{ALARM, Poller, Ready};

/// Room for a head and the start of a body.
const ROOM_BYTES: usize = 4 << 10;

/// Room for what is thrown away; of a plain connection nothing is ever written there.
const SKIP_BYTES: usize = 1 << 20;

/// The pause of a user whose connection failed.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a target may take to end a connection whose last answer is whole, before this side does.
const ENDING_MAX: Duration = Duration::from_secs(1);

/// The longest time between two looks at who waits too long; a tenth of the timeout where that is less.
const LOOK_MAX: Duration = Duration::from_millis(100);

/// After a first write that came too early, so many connections wait until they are there.
const CAUTION: u32 = 64;

/// Makes the load of one thread.
pub(super) fn work(shared: &Shared, thread: usize, pulse: Pulse) -> io::Result<()> {
    let now = Instant::now();
    let mut poller = Poller::new()?;
    if shared.arrivals.is_some() {
        poller.be_punctual()?;
    }
    let users: Vec<User> = shared.users_of(thread).map(|number| User::new(number, now)).collect();
    let look_every = (shared.options.timeout / 10).clamp(Duration::from_millis(1), LOOK_MAX);
    let crowd = Crowd {
        shared,
        pulse,
        poller,
        free: Vec::with_capacity(users.len()),
        users,
        started: 0,
        next_arrival: thread as u64,
        dials: thread as u64,
        caution: 0,
        is_open: true,
        paused: 0,
        turns: Vec::new(),
        memo: Memo::default(),
        room: vec![0; ROOM_BYTES],
        skip_room: vec![0; SKIP_BYTES],
        look_every,
        look: now + look_every,
    };
    crowd.run()
}

/// The users of a thread.
struct Crowd<'a> {
    shared: &'a Shared,
    pulse: Pulse,
    poller: Poller,
    users: Vec<User>,
    /// Users with nothing to do, of those that have begun; at a rate only.
    free: Vec<u32>,
    /// How many users have begun.
    started: usize,
    /// The number of the next request, at a rate.
    next_arrival: u64,
    /// How many connections were begun; which source is next.
    dials: u64,
    /// So many more connections wait until they are there before they write.
    caution: u32,
    /// New requests may come.
    is_open: bool,
    /// How many users pause.
    paused: usize,
    /// Whose turn has ended since the last wait, and how.
    turns: Vec<(usize, Turn)>,
    memo: Memo,
    room: Vec<u8>,
    skip_room: Vec<u8>,
    look_every: Duration,
    look: Instant,
}

impl Crowd<'_> {
    fn run(mut self) -> io::Result<()> {
        // At a rate every user is there from the start; it is the requests that come slowly at first.
        if self.shared.arrivals.is_some() {
            self.started = self.users.len();
            self.free.extend((0..self.users.len()).rev().filter_map(|at| u32::try_from(at).ok()));
        }
        let mut now = Instant::now();
        loop {
            self.open_or_close(now);
            if self.is_open {
                self.begin_due(now);
            } else if !self.users.iter().any(User::is_active) {
                break;
            }
            let count = self.poller.wait(self.patience(now))?;
            for at in 0..count {
                let ready = self.poller.ready(at);
                if ready.token != ALARM {
                    self.notify(ready, Instant::now());
                }
            }
            self.go_on();
            now = Instant::now();
            if now >= self.look {
                self.look_around(now);
                self.look = now + self.look_every;
            }
        }
        for user in &mut self.users {
            user.hang_up();
        }
        self.pulse.end(self.shared.at(Instant::now()));
        Ok(())
    }

    /// Tells the ticks that are over. After the last one, or the last request, nothing begins any more.
    fn open_or_close(&mut self, now: Instant) {
        let at = self.shared.at(now);
        let was_open = self.is_open;
        if was_open {
            self.count_unsent(at);
        }
        let is_on = self.pulse.beat(at);
        self.is_open = was_open && is_on && !self.shared.is_spent();
    }

    /// Requests at a rate that were due in the measured time and found no place are counted with its last tick.
    fn count_unsent(&mut self, at: Duration) {
        let Some(arrivals) = &self.shared.arrivals else { return };
        let end = self.shared.plan.end();
        if at >= end {
            let left = arrivals.left(self.next_arrival, self.shared.threads as u64, end);
            self.pulse.tally.counts.unsent += left;
        }
    }

    /// How long there is nothing to do but for who is ready.
    fn patience(&self, now: Instant) -> Duration {
        let at = self.shared.at(now);
        let mut most = self.look.saturating_duration_since(now);
        if self.paused > 0 {
            most = most.min(PAUSE);
        }
        if !self.is_open {
            return most;
        }
        if let Some(left) = self.pulse.left(at) {
            most = most.min(left);
        }
        if let (Some(arrivals), false) = (&self.shared.arrivals, self.free.is_empty()) {
            most = most.min(arrivals.due(self.next_arrival).saturating_sub(at));
        }
        if let Some(user) = self.users.get(self.started) {
            most = most.min(self.start_of(user).saturating_sub(at));
        }
        most
    }

    fn start_of(&self, user: &User) -> Duration {
        user_start(user.number, self.shared.options.connections_max(), self.shared.options.ramp_up)
    }

    /// Begins what is due: users, or requests at a rate as far as there are users for them.
    fn begin_due(&mut self, now: Instant) {
        let at = self.shared.at(now);
        while self.users.get(self.started).is_some_and(|user| self.start_of(user) <= at) {
            let user = self.started;
            self.started += 1;
            self.go(user, Turn::Free, now);
        }
        while let Some(user) = self.free.pop() {
            if !self.go(user as usize, Turn::Free, now) {
                break;
            }
        }
    }

    /// Somebody can go on: takes what came, and leaves the rest for when all have.
    fn notify(&mut self, ready: Ready, now: Instant) {
        let (at, age) = ((ready.token & u64::from(u32::MAX)) as usize, (ready.token >> 32) as u32);
        let Some(user) = self.users.get_mut(at).filter(|user| user.age == age && user.link.is_some()) else {
            return;
        };
        user.is_ended |= ready.is_ended;
        user.is_broken |= ready.is_broken;
        if user.state == State::Idle {
            // Whatever comes on an idle connection, it is no answer.
            user.hang_up();
            return;
        }
        match self.step(at, now) {
            Turn::Wait => {}
            turn @ (Turn::WaitToWrite | Turn::Pause | Turn::Free) => self.turns.push((at, turn)),
        }
    }

    /// Goes on with all whose turn ended in what they took.
    fn go_on(&mut self) {
        let mut turns = std::mem::take(&mut self.turns);
        for (at, turn) in turns.drain(..) {
            self.go(at, turn, Instant::now());
        }
        self.turns = turns;
    }

    /// Goes on from the end of a turn: to the next request where one is over, until there is something to wait for.
    /// Whether the user has something to do.
    fn go(&mut self, at: usize, mut turn: Turn, now: Instant) -> bool {
        loop {
            match turn {
                Turn::Wait => return true,
                Turn::WaitToWrite => {
                    self.watch_write(at);
                    return true;
                }
                Turn::Pause => {
                    self.users[at].state = State::Paused(now + PAUSE);
                    self.paused += 1;
                    return true;
                }
                Turn::Free => {
                    self.users[at].state = State::Idle;
                    match self.next_request(now) {
                        Some(begun) => turn = self.begin(at, begun, now),
                        None => {
                            if self.shared.arrivals.is_some() {
                                self.free.push(u32::try_from(at).unwrap_or(u32::MAX));
                            }
                            return false;
                        }
                    }
                }
            }
        }
    }

    /// From when on the next request counts; none if there is none now.
    fn next_request(&mut self, now: Instant) -> Option<Instant> {
        if !self.is_open {
            return None;
        }
        let begun = match &self.shared.arrivals {
            None => now,
            Some(arrivals) => {
                let due = arrivals.due(self.next_arrival);
                if due > self.shared.at(now) || due >= self.shared.plan.end() {
                    return None;
                }
                self.shared.start() + due
            }
        };
        if !self.shared.take_from_budget() {
            return None;
        }
        self.next_arrival += self.shared.threads as u64;
        Some(begun)
    }

    /// Begins a request, on the connection that is there or on a new one.
    fn begin(&mut self, at: usize, begun: Instant, now: Instant) -> Turn {
        let user = &mut self.users[at];
        user.begun = begun;
        user.answer.reset();
        user.written = 0;
        user.target = user.target.wrapping_add(1);
        if user.link.is_some() {
            user.is_last = is_last(self.shared.options.reuse, user.carried);
            user.state = State::Sending;
            user.since = now;
            return self.step(at, now);
        }
        self.dial(at, now)
    }

    fn dial(&mut self, at: usize, now: Instant) -> Turn {
        self.dials += 1;
        let socket = match self.shared.dialer.begin(self.dials) {
            Ok(dialed) => dialed.socket,
            Err((kind, _)) => return self.fail(at, kind),
        };
        let link = match &self.shared.tls {
            None => Link::plain(socket),
            Some(tls) => {
                match rustls::ClientConnection::new(std::sync::Arc::clone(&tls.config), tls.name.clone()) {
                    Ok(client) => Link::tls(socket, client.into()),
                    Err(_) => return self.fail(at, ErrorKind::Tls),
                }
            }
        };
        let is_bold = link.is_plain() && self.caution == 0;
        self.caution = self.caution.saturating_sub(1);
        let user = &mut self.users[at];
        user.link = Some(link);
        user.state = State::Connecting;
        (user.dialed, user.since) = (now, now);
        user.is_last = is_last(self.shared.options.reuse, 0);
        let mut turn = Turn::WaitToWrite;
        if is_bold {
            // On a short way the connection is there already.
            turn = self.step(at, now);
            if self.users[at].state == State::Connecting {
                self.caution = CAUTION;
            }
        }
        let user = &mut self.users[at];
        if let Some(link) = &user.link {
            user.watches_write = turn == Turn::WaitToWrite;
            user.is_watched = true;
            if self.poller.add(link, token(at, user.age), user.watches_write).is_err() {
                return self.fail(at, ErrorKind::FilesExhausted);
            }
        }
        turn
    }

    /// The connection is watched for room to write, where it isn't.
    fn watch_write(&mut self, at: usize) {
        let user = &mut self.users[at];
        if let (Some(link), true, false) = (&user.link, user.is_watched, user.watches_write) {
            user.watches_write = self.poller.watch_write(link, token(at, user.age)).is_ok();
        }
    }

    /// Does what can be done now.
    fn step(&mut self, at: usize, now: Instant) -> Turn {
        loop {
            let user = &mut self.users[at];
            let Some(link) = &mut user.link else { return Turn::Free };
            match user.state {
                State::Idle | State::Paused(_) => return Turn::Wait,
                State::Connecting if link.is_plain() => match self.send(at, now) {
                    Ok(()) => return self.after_sending(at),
                    Err(error) => return self.fail(at, dial::connecting(&error)),
                },
                State::Connecting => {
                    if user.is_broken
                        && let Ok(Err(error)) = sockopt::socket_error(&*link)
                    {
                        return self.fail(at, dial::connecting(&error.into()));
                    }
                    (user.state, user.since) = (State::Handshake, now);
                }
                State::Handshake => match link.shake_hands() {
                    Ok(true) => {
                        (user.state, user.since) = (State::Sending, now);
                        self.pulse.tally.connected(now.saturating_duration_since(user.dialed));
                    }
                    Ok(false) => return Turn::WaitToWrite,
                    Err(_) => return self.fail(at, ErrorKind::Tls),
                },
                State::Sending => match self.send(at, now) {
                    Ok(()) => return self.after_sending(at),
                    // What came before may say why, but then it came too early to be an answer.
                    Err(_) => return self.fail(at, ErrorKind::NoAnswer),
                },
                State::Answer => return self.receive(at, now),
                State::Ending => return self.see_the_end(at),
            }
        }
    }

    /// Sends the request, or the rest of it. The first byte that goes says that there is a connection.
    fn send(&mut self, at: usize, now: Instant) -> io::Result<()> {
        let user = &mut self.users[at];
        let Some(link) = &mut user.link else { return Ok(()) };
        let request = self.shared.requests.bytes(user.target, user.is_last);
        while user.written < request.len() {
            let count = link.send(&request[user.written..], false)?;
            if count == 0 {
                return Ok(());
            }
            if user.state == State::Connecting {
                user.state = State::Sending;
                self.pulse.tally.connected(now.saturating_duration_since(user.dialed));
            }
            let counts = &mut self.pulse.tally.counts;
            counts.bytes_sent += count as u64;
            user.written += count;
        }
        if link.flush()? {
            let counts = &mut self.pulse.tally.counts;
            counts.requests += 1;
            user.carried += 1;
            (user.state, user.since) = (State::Answer, now);
        }
        Ok(())
    }

    /// Once the request is out, reading at once would nearly always be too early: the answer's arrival is told.
    fn after_sending(&self, at: usize) -> Turn {
        if self.users[at].state == State::Answer { Turn::Wait } else { Turn::WaitToWrite }
    }

    /// Takes what has come of the answer.
    fn receive(&mut self, at: usize, now: Instant) -> Turn {
        loop {
            let user = &mut self.users[at];
            let Some(link) = &mut user.link else { return Turn::Free };
            let before = user.answer.body_bytes();
            let blind = user.answer.blind_bytes();
            let got = if blind > 0 {
                let room = usize::try_from(blind).unwrap_or(usize::MAX).min(SKIP_BYTES);
                link.skip(&mut self.skip_room[..room])
            } else {
                link.recv(&mut self.room)
            };
            let (got, is_more) = match got {
                Ok(Got::Bytes(count, is_more)) => (count, is_more),
                Ok(Got::Nothing) => return Turn::Wait,
                Ok(Got::End) => return self.ended(at, now),
                Err(error) => return self.broken(at, &error),
            };
            let counts = &mut self.pulse.tally.counts;
            counts.bytes_received += got as u64;
            let used = if blind > 0 {
                user.answer.take_blindly(got as u64);
                got
            } else {
                match user.answer.take(&self.room[..got], &mut self.memo) {
                    Ok(used) => used,
                    Err(_) => return self.fail(at, ErrorKind::Protocol),
                }
            };
            counts.body_bytes += user.answer.body_bytes() - before;
            if user.answer.is_whole() {
                if used < got {
                    // Nobody asked for what follows.
                    return self.fail(at, ErrorKind::Protocol);
                }
                self.count_answer(at, now);
                return self.after_answer(at, is_more, now);
            }
            let user = &self.users[at];
            if !is_more && !user.is_broken {
                // The end that came with it is known without another read.
                return if user.is_ended { self.ended(at, now) } else { Turn::Wait };
            }
        }
    }

    /// The target has ended its side before the answer was known to be whole.
    fn ended(&mut self, at: usize, now: Instant) -> Turn {
        let kind = match self.users[at].answer.end() {
            Ended::Whole => {
                self.count_answer(at, now);
                self.users[at].hang_up();
                return Turn::Free;
            }
            Ended::Short => ErrorKind::Short,
            Ended::Nothing => ErrorKind::NoAnswer,
        };
        self.fail(at, kind)
    }

    /// The connection broke within an answer, or before one.
    fn broken(&mut self, at: usize, error: &io::Error) -> Turn {
        if error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some() {
            return self.fail(at, ErrorKind::Tls);
        }
        let kind = match self.users[at].answer.end() {
            Ended::Nothing => ErrorKind::NoAnswer,
            Ended::Whole | Ended::Short => ErrorKind::Reset,
        };
        self.fail(at, kind)
    }

    fn count_answer(&mut self, at: usize, now: Instant) {
        let user = &self.users[at];
        if self.shared.options.expect.holds(user.answer.status()) {
            self.pulse.tally.answered(now.saturating_duration_since(user.begun));
        } else {
            self.pulse.tally.failed(ErrorKind::Status);
        }
    }

    /// The connection goes on, has ended, or is about to end.
    fn after_answer(&mut self, at: usize, is_more: bool, now: Instant) -> Turn {
        let user = &mut self.users[at];
        if user.is_ended && !is_more {
            user.hang_up();
            return Turn::Free;
        }
        if user.answer.is_kept() && !user.is_last && !user.is_ended && !user.is_broken {
            return Turn::Free;
        }
        (user.state, user.since) = (State::Ending, now);
        if is_more || user.is_broken { self.see_the_end(at) } else { Turn::Wait }
    }

    /// Waits for the target to end the connection.
    fn see_the_end(&mut self, at: usize) -> Turn {
        let user = &mut self.users[at];
        let Some(link) = &mut user.link else { return Turn::Free };
        loop {
            match link.skip(&mut self.skip_room) {
                Ok(Got::Nothing) => return Turn::Wait,
                Ok(Got::Bytes(..)) => {}
                Ok(Got::End) | Err(_) => break,
            }
        }
        user.hang_up();
        Turn::Free
    }

    /// The request is over, and went wrong.
    fn fail(&mut self, at: usize, kind: ErrorKind) -> Turn {
        self.pulse.tally.failed(kind);
        self.users[at].hang_up();
        match kind {
            ErrorKind::ConnectRefused
            | ErrorKind::ConnectTimeout
            | ErrorKind::ConnectReset
            | ErrorKind::Unreachable
            | ErrorKind::PortsExhausted
            | ErrorKind::FilesExhausted
            | ErrorKind::Tls => Turn::Pause,
            ErrorKind::NoAnswer
            | ErrorKind::Reset
            | ErrorKind::Short
            | ErrorKind::Status
            | ErrorKind::Timeout
            | ErrorKind::Protocol => Turn::Free,
        }
    }

    /// Ends what takes too long, and lets go on who paused.
    fn look_around(&mut self, now: Instant) {
        for at in 0..self.users.len() {
            let user = &mut self.users[at];
            let waited = now.saturating_duration_since(user.since);
            let is_late = waited >= self.shared.options.timeout;
            let turn = match user.state {
                State::Paused(until) if until <= now => {
                    self.paused -= 1;
                    Turn::Free
                }
                State::Ending if waited >= ENDING_MAX || is_late => {
                    user.hang_up();
                    Turn::Free
                }
                State::Connecting if is_late => self.fail(at, ErrorKind::ConnectTimeout),
                State::Handshake if is_late => self.fail(at, ErrorKind::Tls),
                State::Sending | State::Answer if is_late => self.fail(at, ErrorKind::Timeout),
                State::Idle
                | State::Paused(_)
                | State::Connecting
                | State::Handshake
                | State::Sending
                | State::Answer
                | State::Ending => continue,
            };
            self.go(at, turn, now);
        }
    }
}

fn token(at: usize, age: u32) -> u64 {
    u64::from(age) << 32 | at as u64
}
