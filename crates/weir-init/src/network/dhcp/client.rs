//! A card's DHCP client: the dialogue with its sockets and its file. Whoever owns it polls its sockets and its deadline.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use weir_config::model::MacAddress;

use super::frame;
use super::lease::{self, Lease};
use super::machine::{Machine, Output, Way};
use super::message::{Answer, Question};
use super::socket::{Datagrams, Frames};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network) enum Event {
    /// Nothing that concerns the card.
    Nothing,
    /// The lease is another, or there is none any more.
    Changed,
}

/// One card's.
#[derive(Debug)]
pub(in crate::network) struct Client {
    /// The kernel's name.
    card: String,
    mac: MacAddress,
    machine: Machine,
    file: PathBuf,
    started: bool,
    frames: Option<Frames>,
    datagrams: Option<Datagrams>,
}

impl Client {
    /// For a card whose cable is out as far as is known.
    pub(in crate::network) fn new(
        card: &str,
        mac: MacAddress,
        hostname: Option<String>,
        leases: &Path,
        now: Duration,
    ) -> Self {
        let file = lease::file(leases, mac);
        let kept = lease::kept(&file, SystemTime::now());
        let machine = Machine::new(mac, hostname, kept, now, fastrand::u64(..));
        Self { card: card.to_owned(), mac, machine, file, started: false, frames: None, datagrams: None }
    }

    pub(in crate::network) fn lease(&self, now: Duration) -> Option<&Lease> {
        self.machine.lease(now).map(|(lease, _)| lease)
    }

    /// Whether more than one question went unanswered.
    pub(in crate::network) fn is_unanswered(&self) -> bool {
        self.machine.is_unanswered()
    }

    pub(in crate::network) fn set_hostname(&mut self, hostname: Option<String>) {
        self.machine.set_hostname(hostname);
    }

    /// The cable is in or out, as the kernel calls the card now.
    pub(in crate::network) fn set_carrier(&mut self, card: &str, carrier: bool, now: Duration) -> Event {
        if self.card != card {
            card.clone_into(&mut self.card);
            (self.frames, self.datagrams) = (None, None);
        }
        if carrier == self.started {
            return Event::Nothing;
        }
        self.started = carrier;
        if carrier {
            let outputs = self.machine.start(now);
            return self.carry_out(outputs, now);
        }
        self.machine.stop();
        self.carry_out(Vec::new(), now)
    }

    /// When [`Self::tick`] has something to do.
    pub(in crate::network) fn deadline(&self) -> Option<Duration> {
        self.machine.deadline()
    }

    pub(in crate::network) fn tick(&mut self, now: Duration) -> Event {
        let outputs = self.machine.tick(now);
        self.carry_out(outputs, now)
    }

    /// The sockets that are open.
    pub(in crate::network) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.frames.iter().map(AsFd::as_fd).chain(self.datagrams.iter().map(AsFd::as_fd))
    }

    /// Reads what waits in them.
    pub(in crate::network) fn read(&mut self, now: Duration) -> Event {
        let mut answers = Vec::new();
        let each = |message: &[u8]| answers.extend(Answer::from_bytes(message));
        match (&self.frames, &self.datagrams) {
            (Some(frames), _) => frames.read(each),
            (None, Some(datagrams)) => datagrams.read(each),
            (None, None) => {}
        }
        let mut event = Event::Nothing;
        for answer in answers {
            let outputs = self.machine.receive(now, &answer);
            if self.carry_out(outputs, now) == Event::Changed {
                event = Event::Changed;
            }
        }
        event
    }

    fn carry_out(&mut self, outputs: Vec<Output>, now: Duration) -> Event {
        let mut event = Event::Nothing;
        for output in outputs {
            match output {
                Output::Send(question, way) => {
                    if let Err(error) = self.send(&question, way) {
                        // Nothing is lost: an unheard question is asked again.
                        tracing::debug!(card = self.card, %error, "a DHCP question can't be sent");
                        (self.frames, self.datagrams) = (None, None);
                    }
                }
                Output::Use(lease) => {
                    event = Event::Changed;
                    self.keep(&lease, now);
                }
                Output::Lose => {
                    tracing::warn!(card = self.card, "the DHCP lease is over or was refused");
                    event = Event::Changed;
                }
            }
        }
        if !self.machine.reads_frames() {
            self.frames = None;
        }
        if !self.machine.reads_datagrams() {
            self.datagrams = None;
        }
        event
    }

    fn send(&mut self, question: &Question, way: Way) -> io::Result<()> {
        let message = question.to_bytes();
        let to = match way {
            Way::Frame => {
                let frames = match self.frames.take() {
                    Some(frames) => frames,
                    None => Frames::open(&self.card)?,
                };
                return self.frames.insert(frames).send(&frame::write(self.mac, &message));
            }
            Way::Server(server) => server,
            Way::Everybody => Ipv4Addr::BROADCAST,
        };
        let datagrams = match self.datagrams.take() {
            Some(datagrams) => datagrams,
            None => Datagrams::open(&self.card)?,
        };
        self.datagrams.insert(datagrams).send(to, &message)
    }

    fn keep(&self, lease: &Lease, now: Duration) {
        tracing::info!(card = self.card, address = %lease.address, server = %lease.server, "DHCP lease");
        let left = self.machine.lease(now).and_then(|(_, left)| left);
        if let Err(error) = lease::keep(&self.file, lease, left, SystemTime::now()) {
            tracing::debug!(card = self.card, %error, "the lease can't be kept over a restart");
        }
    }
}
