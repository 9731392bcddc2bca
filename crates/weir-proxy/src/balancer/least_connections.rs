//! The member with the fewest exchanges in flight for its share; among equals, the one whose turn it is
//! ([`turns`](super::turns)), so that an idle pool is served as by round robin, weights and all.
//!
//! In-flight counts belong to all workers and change under a pick, so no heap can be kept by them, and reading
//! them costs a cache line each. All are read up to [`COMPARED_MAX`] members. Of more, only so many are read:
//! those after the last one picked. The least loaded of 128 is as good as the least of all in practice: the
//! most loaded of many servers is already O(log log n) above the mean with two drawn at random (Mitzenmacher,
//! "The power of two choices in randomized load balancing", 1996).

use super::turns::Turns;
use super::{Balancer, Members, PickKey};

/// How many members one pick compares, unless none of them admits.
const COMPARED_MAX: usize = 128;

/// Weighted least connections.
#[derive(Debug)]
pub(super) struct LeastConnections {
    turns: Turns,
    /// The members with a share.
    candidates: Vec<usize>,
    /// Where in `candidates` the next pick starts to compare.
    start: usize,
}

impl LeastConnections {
    pub(super) fn new(seed: u64) -> Self {
        Self { turns: Turns::new(seed), candidates: Vec::new(), start: seed as usize }
    }

    /// Whether `candidate` is to be preferred to `best`.
    fn better(&self, candidate: &Choice, best: &Choice) -> bool {
        let load = |of: &Choice, other: &Choice| u64::from(of.in_flight) * u64::from(other.share);
        load(candidate, best)
            .cmp(&load(best, candidate))
            .then_with(|| self.turns.due(candidate.member).cmp(&self.turns.due(best.member)))
            .is_lt()
    }
}

/// A member as it was found.
struct Choice {
    /// Its index in `candidates`.
    at: usize,
    member: usize,
    in_flight: u32,
    share: u32,
}

impl Balancer for LeastConnections {
    fn members_changed(&mut self, members: &dyn Members) {
        self.turns.refresh(members);
        self.candidates.clear();
        self.candidates.extend(self.turns.all());
    }

    fn pick(&mut self, _key: &PickKey<'_>, members: &dyn Members) -> Option<usize> {
        self.turns.set_back();
        let count = self.candidates.len();
        let start = self.start.checked_rem(count)?;
        let mut best: Option<Choice> = None;
        for (compared, at) in (start..count).chain(0..start).enumerate() {
            if compared >= COMPARED_MAX && best.is_some() {
                break;
            }
            let member = self.candidates[at];
            let share = members.share(member);
            let candidate = Choice { at, member, in_flight: members.in_flight(member), share };
            let better = share > 0 && best.as_ref().is_none_or(|best| self.better(&candidate, best));
            if better && members.admits(member) {
                best = Some(candidate);
            }
        }
        let best = best?;
        self.start = best.at + 1;
        self.turns.take(best.member);
        Some(best.member)
    }
}
