//! UDP listeners: datagrams in flows, by who sends them and where to.
//!
//! The kernel's hash over SO_REUSEPORT keeps a flow on one worker, so a flow is a worker's own. A flow is a
//! choice of the balancer, a connected socket to that server and a task that passes answers back; it ends when
//! nothing has moved for `udp.idle`, when all expected answers came, or with its server. Nothing is queued: what
//! can't be passed on at once is dropped and counted, as a network would.

mod flow;
mod socket;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::rc::Rc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use weir_config::model::{Action, Name, Protocol};

use self::flow::Flow;
use self::socket::{Ends, Socket};
use crate::worker::local::{Local, LocalListener};

/// A socket that is received from until this is dropped.
pub(crate) struct Receiver {
    listener: Rc<RefCell<Name>>,
    /// Dropped with the rest: that is the signal to stop.
    _stop: oneshot::Sender<()>,
}

/// The most datagrams that are taken from one socket before others get their turn.
const BATCH: usize = 32;
/// The longest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_535;

impl Receiver {
    pub(crate) fn start(local: Rc<Local>, listener: Name, socket: UdpSocket) -> io::Result<Self> {
        #[expect(deprecated, reason = "unsound for types that change their descriptor; this one doesn't")]
        let socket = AsyncFd::with_interest(Socket::new(socket)?, Interest::READABLE)?;
        let listener = Rc::new(RefCell::new(listener));
        let (stop, stopped) = oneshot::channel();
        let service = Service {
            local,
            listener: Rc::clone(&listener),
            socket,
            flows: RefCell::default(),
            buffer: RefCell::new(vec![0; DATAGRAM_BYTES_MAX].into()),
        };
        tokio::task::spawn_local(receive_until(Rc::new(service), stopped));
        Ok(Self { listener, _stop: stop })
    }

    pub(crate) fn reassign(&self, listener: Name) {
        *self.listener.borrow_mut() = listener;
    }
}

/// A socket of a listener, and its flows.
struct Service {
    local: Rc<Local>,
    listener: Rc<RefCell<Name>>,
    socket: AsyncFd<Socket>,
    flows: RefCell<HashMap<Ends, Entry>>,
    /// What is received to, questions and answers alike: passed on before the next comes.
    buffer: RefCell<Box<[u8]>>,
}

struct Entry {
    flow: Rc<Flow>,
    task: AbortHandle,
}

async fn receive_until(service: Rc<Service>, mut stopped: oneshot::Receiver<()>) {
    loop {
        let received = tokio::select! {
            biased;
            _ = &mut stopped => break,
            received = service.socket.async_io(Interest::READABLE, |socket| service.batch(socket)) => received,
        };
        match received {
            Ok(BATCH..) => tokio::task::yield_now().await,
            Ok(_) => {}
            Err(error) => {
                let listener = &**service.listener.borrow();
                tracing::debug!(listener, %error, "datagram not received");
            }
        }
    }
    // The address is not ours to answer from any more.
    for (_, Entry { task, .. }) in service.flows.borrow_mut().drain() {
        task.abort();
    }
}

impl Service {
    /// Takes what is there, so many datagrams at most.
    fn batch(self: &Rc<Self>, socket: &Socket) -> io::Result<usize> {
        self.local.tick();
        let buffer = &mut *self.buffer.borrow_mut();
        for taken in 0..BATCH {
            match socket.receive(buffer) {
                Ok((length, ends)) => self.take(&buffer[..length], ends),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => return Ok(taken),
                Err(error) => return Err(error),
            }
        }
        Ok(BATCH)
    }

    /// Passes a datagram on, in its flow or a new one.
    fn take(self: &Rc<Self>, data: &[u8], ends: Ends) {
        let view = self.local.view();
        let name = self.listener.borrow();
        // A listener that was removed meanwhile, or is another by now, has nothing to say.
        let Some(listener) = view.listener(&name).filter(|l| l.listener.config.protocol == Protocol::Udp)
        else {
            return;
        };
        let counters = listener.counters();
        counters.datagrams_received.add(1);
        if let Some(flow) = self.flow(ends).filter(|flow| flow.holds(&view))
            && flow.send(data).is_ok()
        {
            return;
        }
        self.end(ends);
        match self.open(listener, ends) {
            Some(flow) if flow.send(data).is_ok() => {}
            Some(_) | None => counters.datagrams_dropped.add(1),
        }
    }

    fn flow(&self, ends: Ends) -> Option<Rc<Flow>> {
        self.flows.borrow().get(&ends).map(|entry| Rc::clone(&entry.flow))
    }

    /// Begins a flow, unless there are too many, or no server takes it.
    fn open(self: &Rc<Self>, listener: &Rc<LocalListener>, ends: Ends) -> Option<Rc<Flow>> {
        if self.local.draining() || ends.client.port() == 0 {
            return None;
        }
        let Some(place) = listener.listener.status.flow(listener.listener.config.udp.flows) else {
            listener.counters().flows_refused.add(1);
            return None;
        };
        let routes = &listener.listener.routes;
        let pool = match routes.find_connection(None, &[], ends.client.ip()) {
            Some((_, Action::Pool(id))) => Rc::clone(self.local.view().pool(*id)),
            Some((_, Action::Redirect(_) | Action::Respond(_))) | None => return None,
        };
        let flow = Rc::new(Flow::open(&self.local, listener, &pool, ends, place)?);
        let answers = Rc::clone(self).answers(ends, Rc::clone(&flow));
        let task = tokio::task::spawn_local(answers).abort_handle();
        self.flows.borrow_mut().insert(ends, Entry { flow: Rc::clone(&flow), task });
        Some(flow)
    }

    /// Passes answers back until the flow ends.
    async fn answers(self: Rc<Self>, ends: Ends, flow: Rc<Flow>) {
        let outcome = flow.answers(&self).await;
        flow.ended(outcome);
        let mut flows = self.flows.borrow_mut();
        if flows.get(&ends).is_some_and(|entry| Rc::ptr_eq(&entry.flow, &flow)) {
            flows.remove(&ends);
        }
    }

    /// Forgets a flow, whose task finds that out.
    fn end(&self, ends: Ends) {
        if let Some(Entry { flow, .. }) = self.flows.borrow_mut().remove(&ends) {
            flow.stop();
        }
    }

    fn reply(&self, data: &[u8], ends: Ends) -> io::Result<()> {
        self.socket.get_ref().reply(data, ends)
    }
}
