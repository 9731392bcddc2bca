//! The compiled configuration that the data plane serves from.
//!
//! A [`Snapshot`] never changes once it is published; a reload publishes another. What must outlive it (health,
//! counters, exchanges in flight, slow start) stands in a status behind an `Arc` that the next snapshot takes
//! over by name. Only the control loop makes snapshots and writes statuses; workers read.

mod compile;
mod status;

pub(crate) use compile::{Resolved, compile, with_new_ring};
pub(crate) use status::FlowPlace;
pub use status::{ListenerStatus, OperatorState, PoolStatus, ServerReport, ServerStatus};

use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Scheme;
use weir_config::Config;
use weir_config::model::{self, Name};
use weir_config::tls::{ListenerTls, PoolTls, Tls};

use crate::balancer::Prepared;
use crate::route::RouteTable;

/// One generation of the configuration, ready to serve.
pub struct Snapshot {
    /// Grows by one with each snapshot.
    pub generation: u64,
    /// What it was compiled from.
    pub config: Arc<Config>,
    /// What the files have that it names.
    pub tls: Arc<Tls>,
    /// In the order of the configuration.
    pub listeners: Vec<Arc<Listener>>,
    /// In the order of the configuration: a [`model::PoolId`] is an index into this.
    pub pools: Vec<Arc<Pool>>,
}

/// A listener, ready to serve.
pub struct Listener {
    /// As configured.
    pub config: model::Listener,
    /// How it speaks TLS, if it does.
    pub tls: Option<Arc<ListenerTls>>,
    /// `config.routes`, indexed.
    pub(crate) routes: RouteTable,
    /// What outlives the snapshot.
    pub status: Arc<ListenerStatus>,
}

/// A pool, ready to serve.
pub struct Pool {
    /// As configured. Its servers are the configured ones; [`Pool::servers`] has what they stand for.
    pub config: model::Pool,
    /// How its servers are spoken to in TLS, if they are.
    pub tls: Option<Arc<PoolTls>>,
    /// The servers to choose from.
    pub servers: Vec<Arc<Server>>,
    /// What the balancers of all workers share.
    pub(crate) prepared: Prepared,
    /// What outlives the snapshot.
    pub status: Arc<PoolStatus>,
}

/// A server, ready to be chosen.
pub struct Server {
    /// Its name in the API, unique in its pool.
    pub name: Name,
    /// `None` while its host name has no address: such a server is down.
    pub address: Option<SocketAddr>,
    /// As configured.
    pub config: model::Server,
    /// A hash of the name that is the same in every process: the server's place on a hash ring.
    pub(crate) identity: u64,
    /// What outlives the snapshot.
    pub status: Arc<ServerStatus>,
}

impl Snapshot {
    /// The pool of this name.
    pub fn pool(&self, name: &str) -> Option<&Arc<Pool>> {
        self.pools.iter().find(|pool| &*pool.config.name == name)
    }
}

impl Pool {
    /// Of a request to its servers.
    pub(crate) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// The server of this name.
    pub fn server(&self, name: &str) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| &*server.name == name)
    }
}
