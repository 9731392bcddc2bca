//! What the control loop knows about every server: its health, what the operator wants, its ejection. It
//! outlives reloads by name, and this is the one place where it is written.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use weir_config::health::{Cause, Health, Machine, ProbeResult};
use weir_config::model::{Name, Weight};

use super::shares::{Standing, is_ramping, shares};
use crate::snapshot::{OperatorState, Pool, Server, Snapshot};

/// What the operator wants changed of a server; `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerChange {
    /// Whether it takes exchanges.
    pub state: Option<OperatorState>,
    /// Its weight, in place of the configured one until that changes.
    pub weight: Option<Weight>,
}

/// There is no such server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no server `{server}` in pool `{pool}`")]
pub struct UnknownServer {
    /// The pool that was named.
    pub pool: String,
    /// The server that was named.
    pub server: String,
}

/// All servers of all pools.
#[derive(Default)]
pub(super) struct Servers(HashMap<Name, HashMap<Name, Known>>);

/// What is known about one server.
struct Known {
    machine: Machine,
    state: OperatorState,
    /// The operator's weight, and the configured one that it replaces.
    weight: Option<(Weight, Weight)>,
    ejected_until: Option<Instant>,
    /// When it last came up; `None` when it has been up from the start.
    up_since: Option<Instant>,
    usable: bool,
}

impl Servers {
    /// Forgets what `snapshot` no longer has, learns what is new in it.
    pub(super) fn reconcile(&mut self, snapshot: &Snapshot) {
        let mut old = std::mem::take(&mut self.0);
        for pool in &snapshot.pools {
            let mut old_servers = old.remove(&pool.config.name).unwrap_or_default();
            let (rise, fall) = pool.config.check.as_ref().map_or((1, 1), |check| (check.rise, check.fall));
            let servers = pool.servers.iter().map(|server| {
                let mut known = old_servers.remove(&server.name).unwrap_or_else(|| Known::new(rise, fall));
                known.machine.set_thresholds(rise, fall);
                if pool.config.check.is_none() && known.machine.health() != Health::Unknown {
                    known.machine = Machine::new(rise, fall, Health::Unknown); // nobody would ever bring it up
                }
                if known.weight.is_some_and(|(_, configured)| configured != server.config.weight) {
                    known.weight = None; // the file was changed after the operator's word
                }
                server.status.set_ring_weight(u32::from(known.weight_of(server)));
                (server.name.clone(), known)
            });
            self.0.insert(pool.config.name.clone(), servers.collect());
        }
    }

    /// Takes a probe's result: when the next probe is due, and whether health changed with this one. `None`
    /// when there is no such server.
    pub(super) fn probed(
        &mut self,
        pool: &Pool,
        name: &str,
        result: ProbeResult,
        now: Instant,
    ) -> Option<(Duration, bool)> {
        let check = pool.config.check.as_ref()?;
        let server = pool.server(name)?;
        let known = self.0.get_mut(&pool.config.name)?.get_mut(name)?;
        let transition = known.machine.observe(result, now);
        if let Some(transition) = &transition {
            let (pool, server) = (&*pool.config.name, name);
            match &transition.cause {
                Cause::Fall(_, error) => tracing::warn!(pool, server, cause = %error, "server is down"),
                Cause::Rise(_) => tracing::info!(pool, server, "server is up"),
            }
        }
        let health = known.machine.health();
        let last = known.machine.last().cloned();
        server.status.update_report(|report| {
            report.health = health;
            report.last_check = last;
            if transition.is_some() {
                report.since = SystemTime::now();
                report.transitions += 1;
            }
        });
        Some((known.machine.next_delay(check, fastrand::f64()), transition.is_some()))
    }

    /// Takes a server out of the choice for a while, unless too many of its pool are out already.
    pub(super) fn eject(&mut self, pool: &Pool, name: &str, cause: &str, now: Instant) -> bool {
        let config = &pool.config.ejection;
        let Some(servers) = self.0.get_mut(&pool.config.name) else { return false };
        let ejected = servers.values().filter(|known| known.is_ejected(now)).count();
        let most = servers.len() * usize::from(config.max_percent) / 100;
        let Some(known) = servers.get_mut(name) else { return false };
        if known.is_ejected(now) {
            return false;
        }
        let (pool_name, server) = (&*pool.config.name, name);
        if ejected >= most {
            tracing::debug!(pool = pool_name, server, cause, "server not ejected: enough of the pool are");
            return false;
        }
        known.ejected_until = Some(now + config.duration);
        tracing::warn!(
            pool = pool_name,
            server,
            cause,
            seconds = config.duration.as_secs_f64(),
            "server ejected"
        );
        self.publish(pool, now)
    }

    /// Changes what the operator wants; whether the ring changes with it. `None`: no such server.
    pub(super) fn set(&mut self, pool: &Pool, name: &str, change: ServerChange) -> Option<bool> {
        let server = pool.server(name)?;
        let known = self.0.get_mut(&pool.config.name)?.get_mut(name)?;
        if let Some(state) = change.state {
            known.state = state;
        }
        let before = known.weight_of(server);
        if let Some(weight) = change.weight {
            known.weight = Some((weight, server.config.weight));
        }
        let after = known.weight_of(server);
        server.status.set_ring_weight(u32::from(after));
        Some(before != after)
    }

    /// Whether the server's checks are to run.
    pub(super) fn is_checked(&self, pool: &str, server: &str) -> bool {
        let known = self.0.get(pool).and_then(|servers| servers.get(server));
        known.is_some_and(|known| known.state != OperatorState::Maintenance)
    }

    /// Writes the shares of a pool's servers where the workers read them; whether time alone will change
    /// them again.
    pub(super) fn publish(&mut self, pool: &Pool, now: Instant) -> bool {
        let Some(servers) = self.0.get_mut(&pool.config.name) else { return false };
        let slow_start = pool.config.slow_start;
        let mut restless = false;
        let mut standings = Vec::with_capacity(pool.servers.len());
        for server in &pool.servers {
            let Some(known) = servers.get_mut(&server.name) else { continue };
            if known.ejected_until.is_some_and(|until| until <= now) {
                known.ejected_until = None;
                server.status.succeeded(); // it begins with a clean sheet
                tracing::info!(pool = %pool.config.name, server = %server.name, "ejection is over");
            }
            let usable = known.is_usable(server, now);
            if usable && !known.usable {
                known.up_since = Some(now);
            }
            known.usable = usable;
            let up_for = known.up_since.map(|since| now - since);
            restless |= known.is_ejected(now) || (usable && is_ramping(up_for, slow_start));
            let weight = known.weight_of(server);
            standings.push(Standing { weight, usable, backup: server.config.backup, up_for });
            let (state, ejected) = (known.state, known.is_ejected(now));
            let health = if server.address.is_none() { Health::Down } else { known.machine.health() };
            server.status.update_report(|report| {
                report.state = state;
                report.weight = weight;
                report.ejected = ejected;
                report.health = health;
            });
        }
        let mut changed = false;
        for (server, share) in pool.servers.iter().zip(shares(&standings, slow_start)) {
            changed |= server.status.set_share(share);
        }
        if changed {
            pool.status.shares_changed();
        }
        restless
    }
}

impl Known {
    fn new(rise: u16, fall: u16) -> Self {
        Self {
            machine: Machine::new(rise, fall, Health::Unknown),
            state: OperatorState::Ready,
            weight: None,
            ejected_until: None,
            up_since: None,
            usable: true, // so that a new server begins with its whole share
        }
    }

    fn weight_of(&self, server: &Server) -> u16 {
        self.weight.map_or(server.config.weight, |(weight, _)| weight).get()
    }

    fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| now < until)
    }

    fn is_usable(&self, server: &Server, now: Instant) -> bool {
        server.address.is_some()
            && self.state == OperatorState::Ready
            && self.machine.health().is_usable()
            && !self.is_ejected(now)
    }
}
