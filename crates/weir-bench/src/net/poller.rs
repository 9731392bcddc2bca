//! epoll: who can go on. Sockets are watched for edges, so that one that keeps its interest costs no system call but
//! the wait, which all that are ready share.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// How many events one wait brings.
const EVENTS: usize = 512;

/// The number of the clock among those that are ready; there is nothing to do for it.
pub(crate) const ALARM: u64 = u64::MAX - 1;

/// An epoll instance and the events of its last wait.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
    alarm: Option<OwnedFd>,
}

/// Which socket can go on, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    /// The number that it was added with.
    pub(crate) token: u64,
    /// The peer has ended its side, and nothing broke: what can be read now is the rest.
    pub(crate) is_ended: bool,
    /// The connection is broken, or both sides have ended: how is to be read.
    pub(crate) is_broken: bool,
}

impl Poller {
    /// A new one.
    ///
    /// # Errors
    /// As the system has them.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(EVENTS),
            alarm: None,
        })
    }

    /// Watches a connection until it is closed: for what comes, and for room to write if `write`.
    ///
    /// # Errors
    /// As the system has them.
    pub(crate) fn add(&self, socket: impl AsFd, token: u64, write: bool) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(token), edges(write))?)
    }

    /// Watches a connection that was added for room to write, too. If there is some by now, it is ready at once.
    ///
    /// # Errors
    /// As the system has them.
    pub(crate) fn watch_write(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(token), edges(true))?)
    }

    /// Watches a listener, as long as it has connections to accept.
    ///
    /// # Errors
    /// As the system has them.
    pub(crate) fn add_listener(&self, listener: impl AsFd, token: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, listener, EventData::new_u64(token), EventFlags::IN)?)
    }

    /// Watches a listener that was added, or for now does not.
    ///
    /// # Errors
    /// As the system has them.
    pub(crate) fn watch_listener(&self, listener: impl AsFd, token: u64, watch: bool) -> io::Result<()> {
        let flags = if watch { EventFlags::IN } else { EventFlags::empty() };
        Ok(epoll::modify(&self.epoll, listener, EventData::new_u64(token), flags)?)
    }

    /// Has waits end on time to less than a millisecond, which epoll's own clock does not.
    ///
    /// # Errors
    /// As the system has them.
    pub(crate) fn be_punctual(&mut self) -> io::Result<()> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        self.add(&alarm, ALARM, false)?;
        self.alarm = Some(alarm);
        Ok(())
    }

    /// Waits until somebody is ready, at most this long; how many are.
    ///
    /// # Errors
    /// As the system has them, but for an interruption, after which nobody is.
    pub(crate) fn wait(&mut self, most: Duration) -> io::Result<usize> {
        if let Some(alarm) = self.alarm.as_ref().filter(|_| !most.is_zero()) {
            let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(most) };
            timerfd_settime(alarm, TimerfdTimerFlags::empty(), &once)?;
        }
        let most = timespec(most);
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&most)) {
            Ok(_) => Ok(self.events.len()),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// One of those that the last wait found.
    pub(crate) fn ready(&self, at: usize) -> Ready {
        let event = self.events[at];
        let (flags, data) = (event.flags, event.data);
        let is_broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        Ready { token: data.u64(), is_ended: flags.contains(EventFlags::RDHUP) && !is_broken, is_broken }
    }
}

fn edges(write: bool) -> EventFlags {
    let edges = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    if write { edges | EventFlags::OUT } else { edges }
}

fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}
