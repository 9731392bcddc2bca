//! From a valid configuration, and the snapshot before it, to the next snapshot.
//!
//! What did not change is taken over as it is (a listener's route table, a pool's servers and ring), so that
//! one changed server among ten thousand costs one pool's work.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use weir_config::Config;
use weir_config::model::{self, Expand, Host, Name};
use weir_config::tls::{ListenerTls, PoolTls, Tls};

use super::{Listener, ListenerStatus, Pool, PoolStatus, Server, ServerStatus, Snapshot};
use crate::balancer::{self, Members};
use crate::route::RouteTable;

/// The addresses that names stand for now.
pub(crate) type Resolved = HashMap<String, Vec<IpAddr>>;

/// Compiles `config` with what its files have, `tls`; `previous` gives what outlives it.
pub(crate) fn compile(
    config: &Arc<Config>,
    tls: &Arc<Tls>,
    resolved: &Resolved,
    previous: Option<&Snapshot>,
    workers: usize,
) -> Snapshot {
    let same_pools = previous.is_some_and(|previous| {
        previous.pools.len() == config.pools.len()
            && previous.pools.iter().zip(&config.pools).all(|(old, new)| old.config.name == new.name)
    });
    let old_listeners: HashMap<&str, &Arc<Listener>> =
        previous.into_iter().flat_map(|p| &p.listeners).map(|l| (&*l.config.name, l)).collect();
    let old_pools: HashMap<&str, &Arc<Pool>> =
        previous.into_iter().flat_map(|p| &p.pools).map(|p| (&*p.config.name, p)).collect();
    Snapshot {
        generation: previous.map_or(1, |previous| previous.generation + 1),
        config: Arc::clone(config),
        tls: Arc::clone(tls),
        listeners: config
            .listeners
            .iter()
            .map(|listener| {
                let old = old_listeners.get(&*listener.name).copied();
                compile_listener(listener, tls.listener(&listener.name), old, same_pools, workers)
            })
            .collect(),
        pools: config
            .pools
            .iter()
            .map(|pool| {
                let old = old_pools.get(&*pool.name).copied();
                compile_pool(pool, tls.pool(&pool.name), resolved, old, workers)
            })
            .collect(),
    }
}

fn compile_listener(
    config: &model::Listener,
    tls: Option<&Arc<ListenerTls>>,
    old: Option<&Arc<Listener>>,
    same_pools: bool,
    workers: usize,
) -> Arc<Listener> {
    let same_tls = |old: &Listener| old.tls.as_ref().map(Arc::as_ptr) == tls.map(Arc::as_ptr);
    if let Some(old) = old.filter(|old| same_pools && old.config == *config && same_tls(old)) {
        return Arc::clone(old);
    }
    Arc::new(Listener {
        config: config.clone(),
        tls: tls.cloned(),
        routes: RouteTable::new(&config.routes),
        status: old.map_or_else(|| Arc::new(ListenerStatus::new(workers)), |old| Arc::clone(&old.status)),
    })
}

fn compile_pool(
    config: &model::Pool,
    tls: Option<&Arc<PoolTls>>,
    resolved: &Resolved,
    old: Option<&Arc<Pool>>,
    workers: usize,
) -> Arc<Pool> {
    let members = expand(config, resolved);
    if let Some(old) = old {
        let same_members = old.servers.len() == members.len()
            && old
                .servers
                .iter()
                .zip(&members)
                .all(|(server, (name, address, _))| server.name == *name && server.address == *address);
        let same_tls = old.tls.as_ref().map(Arc::as_ptr) == tls.map(Arc::as_ptr);
        if same_members && old.config == *config && same_tls {
            return Arc::clone(old);
        }
    }
    let old_servers: HashMap<&str, &Arc<Server>> =
        old.into_iter().flat_map(|old| &old.servers).map(|server| (&*server.name, server)).collect();
    let servers: Vec<Arc<Server>> = members
        .into_iter()
        .map(|(name, address, config)| {
            let status = old_servers.get(&*name).map_or_else(
                || {
                    let status = ServerStatus::new(workers);
                    status.set_ring_weight(u32::from(config.weight.get()));
                    Arc::new(status)
                },
                |old| Arc::clone(&old.status),
            );
            let identity = balancer::identity(&name);
            Arc::new(Server { name, address, config: config.clone(), identity, status })
        })
        .collect();
    Arc::new(Pool {
        prepared: balancer::prepare(&config.balance, &Ring(&servers)),
        servers,
        tls: tls.cloned(),
        config: config.clone(),
        status: old.map_or_else(|| Arc::new(PoolStatus::new(workers)), |old| Arc::clone(&old.status)),
    })
}

/// The pool again, with a ring made from the weights in force now.
pub(crate) fn with_new_ring(pool: &Pool) -> Arc<Pool> {
    Arc::new(Pool {
        config: pool.config.clone(),
        tls: pool.tls.clone(),
        servers: pool.servers.clone(),
        prepared: balancer::prepare(&pool.config.balance, &Ring(&pool.servers)),
        status: Arc::clone(&pool.status),
    })
}

/// The servers that the configured ones stand for: one for each address where a name is to be expanded.
fn expand<'a>(
    config: &'a model::Pool,
    resolved: &Resolved,
) -> Vec<(Name, Option<SocketAddr>, &'a model::Server)> {
    let mut members = Vec::with_capacity(config.servers.len());
    for server in &config.servers {
        let port = server.address.port;
        let addresses: &[IpAddr] = match &server.address.host {
            Host::Ip(ip) => {
                members.push((Arc::clone(&server.name), Some(SocketAddr::new(*ip, port)), server));
                continue;
            }
            Host::Name(name) => resolved.get(name).map_or(&[], Vec::as_slice),
        };
        match server.expand {
            Expand::First => {
                let address = addresses.first().map(|ip| SocketAddr::new(*ip, port));
                members.push((Arc::clone(&server.name), address, server));
            }
            Expand::All => members.extend(addresses.iter().take(Expand::ADDRESSES_MAX).map(|ip| {
                let name: Name = format!("{}@{ip}", server.name).into();
                (name, Some(SocketAddr::new(*ip, port)), server)
            })),
        }
    }
    members
}

/// The members of a pool as a ring sees them: by name and weight, whatever their health.
struct Ring<'a>(&'a [Arc<Server>]);

impl Members for Ring<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn share(&self, index: usize) -> u32 {
        self.0[index].status.share()
    }

    fn in_flight(&self, _index: usize) -> u32 {
        0
    }

    fn admits(&self, _index: usize) -> bool {
        true
    }

    fn identity(&self, index: usize) -> u64 {
        self.0[index].identity
    }

    fn ring_weight(&self, index: usize) -> u32 {
        self.0[index].status.ring_weight()
    }
}
