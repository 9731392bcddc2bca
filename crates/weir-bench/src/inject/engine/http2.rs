//! HTTP/2, by h2 on a runtime of its own in each thread: connections with several requests at once on each.
//!
//! Here a user is a connection, and each of its streams asks for one thing after the other. The library does what it
//! does with tasks and allocations, so a thread makes less load than one of HTTP/1; whether it was enough is what the
//! outcome's limit says.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use http::{HeaderName, HeaderValue, Request, Uri};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use super::super::dial;
use super::super::options::Reuse;
use super::super::outcome::ErrorKind;
use super::super::plan::user_start;
use super::super::target::Target;
use super::counted::{Counted, Traffic};
use super::{Pulse, Shared};

/// The pause of a connection that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest time between two looks at whether the run is over.
const LOOK_MAX: Duration = Duration::from_millis(100);

/// What a target may send ahead on a stream, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;

/// And on a connection.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Makes the load of one thread.
pub(super) fn work(shared: &Arc<Shared>, thread: usize, pulse: Pulse) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let targets = &shared.options.targets;
    let requests = targets.iter().map(|target| request(target, shared)).collect::<io::Result<Vec<_>>>()?;
    let core = Rc::new(Core {
        shared: Arc::clone(shared),
        requests,
        pulse: RefCell::new(Some(pulse)),
        traffic: Rc::default(),
        next_arrival: Cell::new(thread as u64),
        dials: Cell::new(thread as u64),
        is_open: Cell::new(true),
        is_over: Cell::new(false),
        due: Notify::new(),
        taken: Notify::new(),
        closed: Notify::new(),
    });
    LocalSet::new().block_on(&runtime, async {
        let mut users = JoinSet::new();
        for number in shared.users_of(thread) {
            users.spawn_local(Rc::clone(&core).user(number));
        }
        let watch = tokio::task::spawn_local(Rc::clone(&core).watch());
        let announce = shared.arrivals.map(|_| tokio::task::spawn_local(Rc::clone(&core).announce()));
        while users.join_next().await.is_some() {}
        core.is_over.set(true);
        core.close();
        let _ = watch.await;
        if let Some(announce) = announce {
            let _ = announce.await;
        }
    });
    core.collect_traffic();
    if let Some(pulse) = core.pulse.take() {
        pulse.end(shared.at(Instant::now()));
    }
    Ok(())
}

/// What the connections of a thread share.
struct Core {
    shared: Arc<Shared>,
    requests: Vec<Request<()>>,
    /// There until the end.
    pulse: RefCell<Option<Pulse>>,
    traffic: Rc<Traffic>,
    next_arrival: Cell<u64>,
    dials: Cell<u64>,
    /// New requests may come.
    is_open: Cell<bool>,
    /// All that was under way has ended.
    is_over: Cell<bool>,
    /// A request at a rate is due.
    due: Notify,
    /// And somebody has taken it.
    taken: Notify,
    /// No new requests come.
    closed: Notify,
}

/// Why the requests of a connection end.
enum Broken {
    /// It has carried what it should.
    Done,
    /// It failed.
    Failed,
}

impl Core {
    /// One connection after the other, as long as requests may come.
    async fn user(self: Rc<Self>, number: u32) {
        let options = &self.shared.options;
        let ramp_up = if self.shared.arrivals.is_some() { Duration::ZERO } else { options.ramp_up };
        let start = user_start(number, options.connections_max(), ramp_up);
        self.unless_closed(sleep(start.saturating_sub(self.at()))).await;
        let mut turn = number as usize;
        while self.is_open.get() {
            // A connection that carries one request is a part of it, so its request comes first.
            let begun =
                if options.reuse == Reuse::Close { self.next_request().await } else { Some(Instant::now()) };
            let Some(begun) = begun else { break };
            match timeout(options.timeout, self.connect()).await.unwrap_or(Err(ErrorKind::ConnectTimeout)) {
                Ok(send) if options.reuse == Reuse::Close => {
                    turn += 1;
                    let _ = self.exchange(send, begun, turn).await;
                }
                Ok(send) => self.carry(send, &mut turn).await,
                Err(kind) => {
                    self.failed(kind);
                    self.unless_closed(sleep(PAUSE)).await;
                }
            }
        }
    }

    /// What a connection carries, on all its streams.
    async fn carry(self: &Rc<Self>, send: SendRequest<Bytes>, turn: &mut usize) {
        let left = Rc::new(Cell::new(match self.shared.options.reuse {
            Reuse::Close => 1,
            Reuse::KeepAlive => u64::MAX,
            Reuse::Requests(count) => count.into(),
        }));
        let mut streams = JoinSet::new();
        for _ in 0..self.shared.options.streams {
            *turn += 1;
            streams.spawn_local(Rc::clone(self).stream(send.clone(), Rc::clone(&left), *turn));
        }
        drop(send);
        while streams.join_next().await.is_some() {}
    }

    /// One request after the other on a place for a stream.
    async fn stream(self: Rc<Self>, mut send: SendRequest<Bytes>, left: Rc<Cell<u64>>, mut turn: usize) {
        while left.get() > 0 {
            let Some(begun) = self.next_request().await else { return };
            left.set(left.get().saturating_sub(1));
            turn += 1;
            match self.exchange(send, begun, turn).await {
                Ok(again) => send = again,
                Err(Broken::Done | Broken::Failed) => return,
            }
        }
    }

    /// A request and its answer; the connection, if it goes on.
    async fn exchange(
        &self,
        send: SendRequest<Bytes>,
        begun: Instant,
        turn: usize,
    ) -> Result<SendRequest<Bytes>, Broken> {
        let limit = self.shared.options.timeout;
        match timeout(limit, self.ask(send, turn)).await {
            Ok(Ok((status, send))) => {
                let latency = begun.elapsed();
                if self.shared.options.expect.holds(status) {
                    self.with(|pulse| pulse.tally.answered(latency));
                } else {
                    self.failed(ErrorKind::Status);
                }
                send.ok_or(Broken::Done)
            }
            Ok(Err(kind)) => {
                self.failed(kind);
                Err(Broken::Failed)
            }
            Err(_) => {
                self.failed(ErrorKind::Timeout);
                Err(Broken::Failed)
            }
        }
    }

    async fn ask(
        &self,
        send: SendRequest<Bytes>,
        turn: usize,
    ) -> Result<(u16, Option<SendRequest<Bytes>>), ErrorKind> {
        let mut send = send.ready().await.map_err(|error| kind_of(&error, ErrorKind::NoAnswer))?;
        let request = self.requests[turn % self.requests.len()].clone();
        let (answer, _) =
            send.send_request(request, true).map_err(|error| kind_of(&error, ErrorKind::NoAnswer))?;
        self.with(|pulse| pulse.tally.counts.requests += 1);
        let answer = answer.await.map_err(|error| kind_of(&error, ErrorKind::NoAnswer))?;
        let (head, mut body) = answer.into_parts();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(|error| kind_of(&error, ErrorKind::Short))?;
            self.with(|pulse| pulse.tally.counts.body_bytes += piece.len() as u64);
            let _ = body.flow_control().release_capacity(piece.len());
        }
        Ok((head.status.as_u16(), Some(send)))
    }

    /// Opens a connection.
    async fn connect(&self) -> Result<SendRequest<Bytes>, ErrorKind> {
        let dialed = Instant::now();
        self.dials.set(self.dials.get() + 1);
        let socket = self.shared.dialer.begin(self.dials.get()).map_err(|(kind, _)| kind)?.socket;
        let stream = TcpStream::from_std(socket.into()).map_err(|error| dial::connecting(&error))?;
        stream.writable().await.map_err(|error| dial::connecting(&error))?;
        if let Some(error) = stream.take_error().ok().flatten() {
            return Err(dial::connecting(&error));
        }
        // Frames are small and wait for nobody.
        let _ = stream.set_nodelay(true);
        let send = match &self.shared.tls {
            None => self.drive(stream).await?,
            Some(tls) => {
                let connector = tokio_rustls::TlsConnector::from(Arc::clone(&tls.config));
                let stream = connector.connect(tls.name.clone(), stream).await.map_err(|_| ErrorKind::Tls)?;
                self.drive(stream).await?
            }
        };
        self.with(|pulse| pulse.tally.connected(dialed.elapsed()));
        Ok(send)
    }

    async fn drive<S>(&self, stream: S) -> Result<SendRequest<Bytes>, ErrorKind>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let stream = Counted::new(stream, Rc::clone(&self.traffic));
        let handshake = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            .handshake(stream);
        let (send, connection): (_, Connection<_, Bytes>) =
            handshake.await.map_err(|error| kind_of(&error, ErrorKind::ConnectReset))?;
        // It ends when nobody can send any more; whatever breaks it, its streams see.
        tokio::task::spawn_local(async { drop(connection.await) });
        Ok(send)
    }

    /// Waits for the next request; from when on it counts. None when no more come.
    async fn next_request(&self) -> Option<Instant> {
        loop {
            if !self.is_open.get() {
                return None;
            }
            let now = Instant::now();
            let begun = match &self.shared.arrivals {
                None => Some(now),
                Some(arrivals) => {
                    let due = arrivals.due(self.next_arrival.get());
                    (due <= self.shared.at(now) && due < self.shared.plan.end())
                        .then(|| self.shared.start() + due)
                }
            };
            if let Some(begun) = begun {
                if !self.shared.take_from_budget() {
                    return None;
                }
                self.next_arrival.set(self.next_arrival.get() + self.shared.threads as u64);
                self.taken.notify_one();
                return Some(begun);
            }
            self.unless_closed(self.due.notified()).await;
        }
    }

    /// Says when requests at a rate are due, on time to less than a millisecond.
    async fn announce(self: Rc<Self>) {
        let Ok(alarm) = Alarm::new() else { return self.close() };
        while let (true, Some(arrivals)) = (self.is_open.get(), &self.shared.arrivals) {
            let due = arrivals.due(self.next_arrival.get());
            self.unless_closed(alarm.wait(due.saturating_sub(self.at()))).await;
            self.due.notify_one();
            self.unless_closed(self.taken.notified()).await;
        }
    }

    /// Tells the ticks that are over, and closes when the last one is.
    async fn watch(self: Rc<Self>) {
        while !self.is_over.get() {
            let at = self.at();
            self.collect_traffic();
            if self.is_open.get() {
                self.count_unsent(at);
            }
            let (is_on, left) = self.with(|pulse| (pulse.beat(at), pulse.left(at))).unwrap_or((false, None));
            if !is_on || self.shared.is_spent() {
                self.close();
            }
            let most = left.unwrap_or(LOOK_MAX).min(LOOK_MAX);
            tokio::select! {
                () = sleep(most) => {}
                () = self.closed.notified() => {}
            }
        }
    }

    fn count_unsent(&self, at: Duration) {
        let Some(arrivals) = &self.shared.arrivals else { return };
        let end = self.shared.plan.end();
        if at >= end {
            let left = arrivals.left(self.next_arrival.get(), self.shared.threads as u64, end);
            self.with(|pulse| pulse.tally.counts.unsent += left);
        }
    }

    fn close(&self) {
        self.is_open.set(false);
        self.closed.notify_waiters();
    }

    async fn unless_closed(&self, what: impl Future<Output = ()>) {
        let closed = self.closed.notified();
        if self.is_open.get() {
            tokio::select! {
                () = what => {}
                () = closed => {}
            }
        }
    }

    fn at(&self) -> Duration {
        self.shared.at(Instant::now())
    }

    fn with<T>(&self, count: impl FnOnce(&mut Pulse) -> T) -> Option<T> {
        self.pulse.borrow_mut().as_mut().map(count)
    }

    fn failed(&self, kind: ErrorKind) {
        self.with(|pulse| pulse.tally.failed(kind));
    }

    fn collect_traffic(&self) {
        let (received, sent) = (self.traffic.received.take(), self.traffic.sent.take());
        self.with(|pulse| {
            pulse.tally.counts.bytes_received += received;
            pulse.tally.counts.bytes_sent += sent;
        });
    }
}

/// What an error of the library is counted as; `cut` where the connection broke.
fn kind_of(error: &h2::Error, cut: ErrorKind) -> ErrorKind {
    if error.is_io() || error.is_reset() || error.is_go_away() { cut } else { ErrorKind::Protocol }
}

fn request(target: &Target, shared: &Shared) -> io::Result<Request<()>> {
    let wrong = |error: http::Error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let uri: Uri = target.to_string().parse().map_err(|error: http::uri::InvalidUri| wrong(error.into()))?;
    let mut request = Request::get(uri).version(http::Version::HTTP_2).body(()).map_err(wrong)?;
    for (name, value) in &shared.options.fields {
        let name = HeaderName::try_from(name).map_err(|error| wrong(error.into()))?;
        let value = HeaderValue::try_from(value).map_err(|error| wrong(error.into()))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// A clock that is on time to less than a millisecond, which the runtime's is not.
struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe; a descriptor that is owned, as here, is what it needs"
        )]
        Ok(Self(AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?))
    }

    async fn wait(&self, span: Duration) {
        if span.is_zero() {
            return;
        }
        let it_value = Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: span.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        if timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once).is_err() {
            return sleep(span).await;
        }
        let mut count = [0; 8];
        while let Ok(mut guard) = self.0.readable().await {
            let read = guard.try_io(|alarm| Ok(rustix::io::read(alarm.get_ref(), &mut count)?));
            if read.is_ok() {
                return;
            }
        }
    }
}
