//! The less loaded of two different members drawn at random by their shares. It needs no agreement between
//! workers, and keeps the most loaded server close to the mean (Mitzenmacher, "The power of two choices in
//! randomized load balancing", 1996).

use fastrand::Rng;

use super::draw::Draw;
use super::{Balancer, Members, PickKey, eligible};

/// Two random choices.
#[derive(Debug)]
pub(super) struct RandomTwo {
    rng: Rng,
    draw: Draw,
}

impl RandomTwo {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), draw: Draw::default() }
    }
}

impl Balancer for RandomTwo {
    fn members_changed(&mut self, members: &dyn Members) {
        self.draw.refresh(members);
    }

    fn pick(&mut self, _key: &PickKey<'_>, members: &dyn Members) -> Option<usize> {
        let (first, second) = self.draw.two(&mut self.rng)?;
        // Of two that are equally loaded the first: it was drawn by its share, the second by what is left.
        let (better, other) =
            if less_loaded(members, second, first) { (second, first) } else { (first, second) };
        if eligible(members, better) {
            Some(better)
        } else if eligible(members, other) {
            Some(other)
        } else {
            self.draw.one(&mut self.rng, members)
        }
    }
}

/// Whether `a` has fewer exchanges in flight for its share than `b`.
fn less_loaded(members: &dyn Members, a: usize, b: usize) -> bool {
    let load = |of: usize, other: usize| u64::from(members.in_flight(of)) * u64::from(members.share(other));
    load(a, b) < load(b, a)
}
