//! The listeners' sockets, TCP and UDP: one for each address and worker, bound before anything is swapped.
//!
//! SO_REUSEPORT lets every worker have a socket of its own on the same address. It would also let a second
//! process in, so an address is first tried without it: what somebody else has is an error, not a share.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use weir_config::Config;
use weir_config::model::{self, Name, Protocol};

use super::apply::ApplyError;
use crate::worker::Mail;

/// Connections that may wait in a socket's queue; the kernel bounds it by `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// What makes two configured binds the same socket: the address, whether it is UDP's or TCP's, and for port 0
/// (any free port) whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SocketKey {
    bind: SocketAddr,
    datagrams: bool,
    any_port_of: Option<Name>,
}

/// The sockets that are being accepted or received from.
#[derive(Default)]
pub(crate) struct Sockets {
    bound: HashMap<SocketKey, Binding>,
}

struct Binding {
    listener: Name,
    address: SocketAddr,
}

/// New sockets, bound and, for TCP, listening, and what else is to change.
pub(super) struct Plan {
    new: Vec<(SocketKey, Binding, Vec<Socket>)>,
    reassigned: Vec<(SocketKey, Name)>,
    removed: Vec<SocketKey>,
    workers: usize,
}

/// A letter to one worker.
pub(super) struct Letter {
    pub(super) worker: usize,
    pub(super) letter: Mail,
}

impl Sockets {
    /// Binds what `config` has and nobody is bound to yet. Dropping the plan closes it again.
    pub(super) fn plan(&self, config: &Config, workers: usize) -> Result<Plan, ApplyError> {
        let mut plan = Plan { new: Vec::new(), reassigned: Vec::new(), removed: Vec::new(), workers };
        let mut wanted = HashSet::new();
        for listener in &config.listeners {
            for &bind in &listener.bind {
                let key = SocketKey::new(bind, listener);
                wanted.insert(key.clone());
                match self.bound.get(&key) {
                    None => {
                        let (address, sockets) = bind_all(&key, workers).map_err(|source| {
                            ApplyError::Bind { listener: listener.name.to_string(), address: bind, source }
                        })?;
                        plan.new.push((key, Binding { listener: listener.name.clone(), address }, sockets));
                    }
                    Some(binding) if binding.listener != listener.name => {
                        plan.reassigned.push((key, listener.name.clone()));
                    }
                    Some(_) => {}
                }
            }
        }
        plan.removed = self.bound.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        Ok(plan)
    }

    /// The address of each socket, by its listener's name; the real one where port 0 was asked for.
    pub(super) fn bound(&self) -> Vec<(String, SocketAddr)> {
        let mut bound: Vec<_> =
            self.bound.values().map(|binding| (binding.listener.to_string(), binding.address)).collect();
        bound.sort();
        bound
    }

    /// Takes the plan as done; returns what the workers must be told.
    pub(super) fn commit(&mut self, plan: Plan) -> Vec<Letter> {
        let mut letters = Vec::new();
        let workers = plan.workers;
        for (key, binding, sockets) in plan.new {
            tracing::info!(listener = %binding.listener, address = %binding.address, "listening");
            for (worker, socket) in sockets.into_iter().enumerate() {
                let (key, listener) = (key.clone(), binding.listener.clone());
                let letter = if key.datagrams {
                    Mail::Receive { key, listener, socket: socket.into() }
                } else {
                    Mail::Listen { key, listener, socket: socket.into() }
                };
                letters.push(Letter { worker, letter });
            }
            self.bound.insert(key, binding);
        }
        for (key, listener) in plan.reassigned {
            for worker in 0..workers {
                let letter = Mail::Reassign { key: key.clone(), listener: listener.clone() };
                letters.push(Letter { worker, letter });
            }
            if let Some(binding) = self.bound.get_mut(&key) {
                binding.listener = listener;
            }
        }
        for key in plan.removed {
            if let Some(binding) = self.bound.remove(&key) {
                tracing::info!(listener = %binding.listener, address = %binding.address, "no longer listening");
            }
            for worker in 0..workers {
                letters.push(Letter { worker, letter: Mail::Unlisten { key: key.clone() } });
            }
        }
        letters
    }
}

impl SocketKey {
    fn new(bind: SocketAddr, listener: &model::Listener) -> Self {
        let datagrams = match listener.protocol {
            Protocol::Http | Protocol::Tcp => false,
            Protocol::Udp => true,
        };
        Self { bind, datagrams, any_port_of: (bind.port() == 0).then(|| listener.name.clone()) }
    }
}

impl fmt::Display for SocketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bind.fmt(f)
    }
}

/// One socket a worker for `key`; the address they got.
fn bind_all(key: &SocketKey, workers: usize) -> io::Result<(SocketAddr, Vec<Socket>)> {
    // Without SO_REUSEPORT, which the kernel grants only where nobody else has the address.
    let probe = socket(key.bind, key.datagrams)?;
    probe.bind(&key.bind.into())?;
    let address = probe.local_addr()?.as_socket().unwrap_or(key.bind);
    drop(probe);
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = socket(address, key.datagrams)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        if !key.datagrams {
            socket.listen(BACKLOG)?;
        }
        sockets.push(socket);
    }
    Ok((address, sockets))
}

fn socket(address: SocketAddr, datagrams: bool) -> io::Result<Socket> {
    let kind = if datagrams { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?; // 0.0.0.0 and [::] are two addresses, whatever the system's default
    }
    if !datagrams {
        socket.set_reuse_address(true)?; // for UDP this would let others in
        socket.set_tcp_nodelay(true)?; // accepted sockets inherit it
    }
    Ok(socket)
}
