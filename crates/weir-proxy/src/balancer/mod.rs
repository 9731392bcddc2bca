//! Choosing a server of a pool. One file for each algorithm; [`prepare`] has the one table of them.
//!
//! Each worker has its own [`Balancer`] for each pool, so that a pick takes no lock. What is costly and the
//! same for every worker stands in [`Prepared`], which is made once for a membership: a change of names, of
//! their order or of configured weights. Health, drain, ejection and slow start are not a membership: they
//! change [`Members::share`], and the worker then calls [`Balancer::members_changed`].
//!
//! Balancers are pure: their only randomness is the seed they are given, and they read no clock.
//! A pick allocates nothing.

mod draw;
mod first;
mod hash;
mod header_hash;
mod least_connections;
mod random_two;
mod ring;
mod round_robin;
mod source_hash;
#[cfg(test)]
mod tests;
mod turns;
mod uri_hash;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use weir_config::model::Balance;

use crate::fields::Fields;

use first::First;
use header_hash::HeaderHash;
use least_connections::LeastConnections;
use random_two::RandomTwo;
use ring::Ring;
use round_robin::RoundRobin;
use source_hash::SourceHash;
use uri_hash::UriHash;

/// What a balancer may know of a pool's servers, by index into the pool's list.
pub trait Members {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its share of new exchanges now: the weight in 1/[`SHARE_OF_WEIGHT`], reduced while it starts slowly.
    /// 0 takes none: down, drained, ejected, of weight 0, or a backup while another server can be used.
    fn share(&self, member: usize) -> u32;

    /// Exchanges in flight, those of all workers together.
    fn in_flight(&self, member: usize) -> u32;

    /// Whether it has room below its `max_connections` and this exchange has not tried it yet. May cost
    /// more than the other questions, so it is asked last.
    fn admits(&self, member: usize) -> bool;

    /// Who it is, wherever it stands in the list: [`identity`] of its name.
    fn identity(&self, member: usize) -> u64;

    /// The weight in the configuration, 0 to 256, whatever its health.
    fn ring_weight(&self, member: usize) -> u32;
}

/// What [`Members::share`] is for a weight of 1.
pub const SHARE_OF_WEIGHT: u32 = 256;

/// The stable hash of a server's name: the same in every version and on every machine, so that the keys of
/// consistent hashing stay where they are after a restart or an upgrade.
pub fn identity(name: &str) -> u64 {
    hash::bytes(name.as_bytes())
}

/// What of a request may decide where it goes.
#[derive(Debug, Clone, Copy)]
pub struct PickKey<'a> {
    /// The client's address.
    pub source: IpAddr,
    /// The path and query of the target.
    pub uri: &'a str,
    /// The fields of the head.
    pub fields: &'a Fields,
}

/// Chooses servers, for one pool and one worker.
pub trait Balancer: fmt::Debug {
    /// To be called after any [`Members::share`] has changed, before the next pick: a member whose share was
    /// 0 is not found otherwise. Costs O(n log n) at most, and keeps the order in which members come up.
    fn members_changed(&mut self, members: &dyn Members);

    /// A member whose share is not 0 and that admits; `None` only when there is no such member.
    fn pick(&mut self, key: &PickKey<'_>, members: &dyn Members) -> Option<usize>;
}

/// What all workers share of a pool's balancer, for one membership.
#[derive(Clone)]
pub struct Prepared(Arc<dyn Fn(u64) -> Box<dyn Balancer> + Send + Sync>);

/// Does once, for all workers, what depends on the membership alone. This is the one table of balancers.
pub fn prepare(balance: &Balance, members: &dyn Members) -> Prepared {
    let ring = || Arc::new(Ring::new(members));
    match balance {
        Balance::RoundRobin => Prepared::new(RoundRobin::new),
        Balance::LeastConnections => Prepared::new(LeastConnections::new),
        Balance::RandomTwo => Prepared::new(RandomTwo::new),
        Balance::SourceHash => Prepared::with(ring(), |ring, _seed| SourceHash::new(ring)),
        Balance::UriHash => Prepared::with(ring(), |ring, _seed| UriHash::new(ring)),
        Balance::HeaderHash(field) => {
            let field = field.clone();
            Prepared::with(ring(), move |ring, seed| HeaderHash::new(field.clone(), ring, seed))
        }
        Balance::First => Prepared::new(|_seed| First::default()),
    }
}

impl Prepared {
    fn new<B: Balancer + 'static>(worker: impl Fn(u64) -> B + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |seed| Box::new(worker(seed))))
    }

    fn with<B: Balancer + 'static>(
        ring: Arc<Ring>,
        worker: impl Fn(Arc<Ring>, u64) -> B + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |seed| worker(Arc::clone(&ring), seed))
    }

    /// The balancer of one worker. Workers take different seeds, so that they do not march in step.
    /// `members` are those that this was prepared for, as they are now.
    pub fn balancer(&self, members: &dyn Members, seed: u64) -> Box<dyn Balancer> {
        let mut balancer = (self.0)(seed);
        balancer.members_changed(members);
        balancer
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

/// Whether a member can be picked.
fn eligible(members: &dyn Members, member: usize) -> bool {
    members.share(member) > 0 && members.admits(member)
}
