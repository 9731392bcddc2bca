//! One flow: a client's datagrams to one server, and that server's answers.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::net::SendFlags;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use super::Service;
use super::socket::Ends;
use crate::access_log::Kind;
use crate::balancer::PickKey;
use crate::exchange::failure::Failure;
use crate::fields::Fields;
use crate::retry::Attempt;
use crate::session::passage::Passage;
use crate::snapshot::FlowPlace;
use crate::worker::deadline::Deadline;
use crate::worker::local::{Lease, Local, LocalListener, LocalPool, View};

/// The most answers of one flow that are passed on before others get their turn.
const ANSWERS_PER_TURN: usize = 16;
/// Once the process is about to stop, how long an answer may still take.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// One flow.
pub(super) struct Flow {
    ends: Ends,
    /// Connected to the server, so that nobody else's datagrams count as answers, and ICMP errors are told.
    socket: UdpSocket,
    lease: Lease,
    local: Rc<Local>,
    listener: Rc<LocalListener>,
    passage: RefCell<Passage>,
    idle: Duration,
    deadline: Deadline,
    /// The answers that each question gets, if that is known.
    answers: Option<u32>,
    asked: Cell<u64>,
    answered: Cell<u64>,
    /// The generation in which the server was last looked for.
    generation: Cell<u64>,
    /// Why it is to end, as found out by whoever sent.
    over: RefCell<Option<Result<(), Failure>>>,
    waker: RefCell<Option<Waker>>,
    _place: FlowPlace,
}

impl Flow {
    /// Takes a place at a server and connects to it, which no packet is needed for. `None` when no server has
    /// room, or none can be reached.
    pub(super) fn open(
        local: &Rc<Local>,
        listener: &Rc<LocalListener>,
        pool: &Rc<LocalPool>,
        ends: Ends,
        place: FlowPlace,
    ) -> Option<Self> {
        let mut passage = Passage::begin(local, listener, Kind::Udp, ends.client);
        passage.routed_to(pool);
        let opened = connect(local, &mut passage, pool, ends.client);
        let (socket, lease) = match opened {
            Ok(opened) => opened,
            Err(failure) => {
                passage.ended(Err(failure));
                return None;
            }
        };
        listener.counters().flows.add(1);
        local.counters().flows.add(1);
        let config = &listener.listener.config.udp;
        let deadline = local.deadlines.register();
        deadline.set(Instant::now() + config.idle);
        Some(Self {
            ends,
            socket,
            lease,
            local: Rc::clone(local),
            listener: Rc::clone(listener),
            passage: RefCell::new(passage),
            idle: config.idle,
            deadline,
            answers: config.answers,
            asked: Cell::new(0),
            answered: Cell::new(0),
            generation: Cell::new(local.view().generation),
            over: RefCell::default(),
            waker: RefCell::default(),
            _place: place,
        })
    }

    /// Whether its server is still there and not known to be down. One that is only drained keeps its flows.
    pub(super) fn holds(&self, view: &View) -> bool {
        let server = &self.lease.server.server;
        if self.generation.get() != view.generation {
            if !view.has_server(&self.lease.pool.pool.config.name, server) {
                return false;
            }
            self.generation.set(view.generation);
        }
        server.status.share() > 0 || server.status.takes_what_it_has()
    }

    /// Sends a datagram of the client's. One that the kernel has no room for is lost, and is no failure.
    ///
    /// # Errors
    /// When the server can't be reached: the flow is over.
    pub(super) fn send(&self, data: &[u8]) -> Result<(), ()> {
        if self.over.borrow().is_some() {
            return Err(());
        }
        match rustix::net::send(&self.socket, data, SendFlags::DONTWAIT) {
            Ok(_sent) => {
                self.asked.set(self.asked.get() + 1);
                self.passage.borrow_mut().received_bytes += data.len() as u64;
                self.moved();
                Ok(())
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::NOBUFS | rustix::io::Errno::MSGSIZE) => {
                self.listener.counters().datagrams_dropped.add(1);
                Ok(())
            }
            Err(error) => {
                self.finish(Err(Failure::UpstreamConnect(error.into())));
                Err(())
            }
        }
    }

    /// Ends it: its client goes on in another one.
    pub(super) fn stop(&self) {
        self.finish(Ok(()));
    }

    fn finish(&self, outcome: Result<(), Failure>) {
        self.over.borrow_mut().get_or_insert(outcome);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn moved(&self) {
        if !self.local.draining() {
            self.deadline.set(self.local.now() + self.idle);
        }
    }

    /// Passes answers back until it is over.
    pub(super) async fn answers(&self, service: &Service) -> Result<(), Failure> {
        let mut attention = pin!(self.local.attention.notified());
        let mut draining = false;
        poll_fn(|cx| {
            self.local.tick();
            while attention.as_mut().poll(cx).is_ready() {
                attention.set(self.local.attention.notified());
            }
            if !draining && self.local.draining() {
                draining = true;
                self.deadline.set(self.local.now() + LAST_ANSWERS);
            }
            if let Poll::Ready(outcome) = self.poll_answers(service, cx) {
                return Poll::Ready(outcome);
            }
            if let Some(outcome) = self.over.borrow_mut().take() {
                return Poll::Ready(outcome);
            }
            if self.deadline.poll_fired(cx) {
                let silent = self.answers.is_some() && self.answered.get() == 0 && !draining;
                return Poll::Ready(if silent { Err(Failure::UpstreamSilent) } else { Ok(()) });
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn poll_answers(&self, service: &Service, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        for _ in 0..ANSWERS_PER_TURN {
            let mut buffer = service.buffer.borrow_mut();
            let mut buffer = ReadBuf::new(&mut buffer);
            match self.socket.poll_recv(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::UpstreamConnect(error))),
                Poll::Ready(Ok(())) => self.answer(service, buffer.filled()),
            }
            if self.answers.is_some_and(|each| self.answered.get() >= self.asked.get() * u64::from(each)) {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn answer(&self, service: &Service, data: &[u8]) {
        self.answered.set(self.answered.get() + 1);
        self.lease.server.server.status.succeeded();
        self.moved();
        let counters = self.listener.counters();
        match service.reply(data, self.ends) {
            Ok(()) => {
                counters.datagrams_sent.add(1);
                self.passage.borrow_mut().sent_bytes += data.len() as u64;
            }
            Err(_) => counters.datagrams_dropped.add(1), // no room, or the client can't be reached
        }
    }

    /// Notes how it ended. A server that could not be reached, or did not answer, has failed.
    pub(super) fn ended(&self, outcome: Result<(), Failure>) {
        if let Err(failure) = &outcome {
            self.lease.pool.server_failed(&self.lease.server, &self.local.shared.events, failure);
        }
        self.passage.borrow_mut().ended(outcome);
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.listener.counters().flows_closed.add(1);
        self.local.counters().flows_closed.add(1);
    }
}

/// A place at a server, and a socket that is connected to it. Nothing waits: without a place there is no flow.
fn connect(
    local: &Rc<Local>,
    passage: &mut Passage,
    pool: &Rc<LocalPool>,
    client: SocketAddr,
) -> Result<(UdpSocket, Lease), Failure> {
    pool.budget.deposit();
    let fields = Fields::default();
    let key = PickKey { source: client.ip().to_canonical(), uri: "/", fields: &fields };
    let mut tried = Vec::new();
    loop {
        let Some((index, lease)) = pool.pick(&key, &tried) else {
            if pool.has_usable_server() {
                pool.counters().queue_full.add(1); // a datagram has no queue
                return Err(Failure::LocalQueueFull);
            }
            pool.counters().unavailable.add(1);
            return Err(Failure::LocalNoServer);
        };
        passage.sent_to(&lease);
        let Some(address) = lease.server.server.address else { return Err(Failure::LocalNoServer) };
        lease.server.counters().connects.add(1);
        let failure = match socket_to(address) {
            Ok(socket) => return Ok((socket, lease)),
            Err(error) => Failure::UpstreamConnect(error),
        };
        pool.server_failed(&lease.server, &local.shared.events, &failure);
        tried.push(index);
        let attempt = Attempt::to_connect(passage.retries, pool.pool.config.retries.attempts);
        if !pool.may_retry(&attempt) {
            return Err(failure);
        }
        passage.retries += 1;
    }
}

fn socket_to(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(server)?;
    UdpSocket::from_std(socket)
}
