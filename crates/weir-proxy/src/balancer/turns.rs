//! Whose turn it is: earliest deadline first on a virtual clock.
//!
//! On this clock a member of share `s` has a turn every [`LAP`]` / s`. Turns that are due in order give every
//! member exactly its share in each cycle, evenly mixed. Members of the same share start evenly apart, at a
//! random place in their order: so 5, 1, 1 comes out as `a b a a a c a`, and workers do not march in step.
//!
//! When shares change, members keep their place: what is left until a member's turn is stretched or shrunk
//! with its share, and a newcomer starts somewhere within its own interval. A server that flaps therefore
//! neither restarts the cycle nor gets more than its share.

use fastrand::Rng;

use super::Members;

/// The interval of a share of 1, in ticks of the virtual clock: 256 intervals of a weight of 1. The rounding
/// of an interval costs a member one turn in 2^24 cycles or more.
const LAP: u64 = 1 << 40;

/// When the clock is set back, long before a sum could wrap: an interval is at most [`LAP`].
const NOW_MAX: u64 = 1 << 62;

/// The turns of a pool's members.
#[derive(Debug)]
pub(super) struct Turns {
    rng: Rng,
    now: u64,
    members: Vec<Turn>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    /// 0 when it has no turn.
    share: u32,
    due: u64,
}

impl Turns {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), now: 0, members: Vec::new() }
    }

    /// Takes over the members' shares.
    pub(super) fn refresh(&mut self, members: &dyn Members) {
        self.members.resize(members.len(), Turn::default());
        let mut newcomers = Vec::new();
        for (index, turn) in self.members.iter_mut().enumerate() {
            let share = members.share(index);
            if turn.share == 0 && share > 0 {
                newcomers.push((share, index));
            } else if turn.share != share && share > 0 {
                let left = u128::from(turn.due.saturating_sub(self.now));
                let left = left * u128::from(turn.share) / u128::from(share);
                turn.due = self.now + u64::try_from(left).unwrap_or(LAP).min(interval(share));
            }
            turn.share = share;
        }
        newcomers.sort_unstable();
        for class in newcomers.chunk_by(|a, b| a.0 == b.0) {
            self.spread(class);
        }
    }

    /// Starts members of the same share evenly apart within their interval, in their order from a random
    /// one on.
    fn spread(&mut self, class: &[(u32, usize)]) {
        let count = class.len();
        let first = self.rng.usize(..count);
        let early = self.rng.f64();
        for (place, &(share, index)) in class.iter().enumerate() {
            let part = (((place + count - first) % count) as f64 + early) / count as f64;
            // Within the interval, which is below 2^41: no bit is lost.
            self.members[index].due = self.now + (interval(share) as f64 * part) as u64;
        }
    }

    /// When this member's next turn is due; members with an earlier one come first.
    pub(super) fn due(&self, member: usize) -> u64 {
        self.members[member].due
    }

    /// The members that have turns.
    pub(super) fn all(&self) -> impl Iterator<Item = usize> {
        self.members.iter().enumerate().filter(|(_, turn)| turn.share > 0).map(|(member, _)| member)
    }

    /// Uses up this member's turn. One that was passed over for long has no turns saved up.
    pub(super) fn take(&mut self, member: usize) {
        let turn = &mut self.members[member];
        self.now = self.now.max(turn.due);
        turn.due = self.now + interval(turn.share);
    }

    /// Sets the clock back when it is time to, in O(n); what was read of [`Turns::due`] is void if this
    /// returns `true`.
    pub(super) fn set_back(&mut self) -> bool {
        if self.now < NOW_MAX {
            return false;
        }
        for turn in &mut self.members {
            turn.due = turn.due.saturating_sub(self.now);
        }
        self.now = 0;
        true
    }
}

fn interval(share: u32) -> u64 {
    LAP / u64::from(share.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::tests::Pool;

    #[test]
    fn setting_the_clock_back_keeps_the_order() {
        let mut turns = Turns::new(1);
        turns.refresh(&Pool::of(&[1, 2, 3]));
        let before: Vec<_> = turns.all().map(|member| turns.due(member)).collect();
        assert!(!turns.set_back());
        turns.now += NOW_MAX;
        turns.members.iter_mut().for_each(|turn| turn.due += NOW_MAX);
        assert!(turns.set_back());
        assert_eq!(before, turns.all().map(|member| turns.due(member)).collect::<Vec<_>>());
    }

    #[test]
    fn a_member_that_was_passed_over_has_saved_nothing_up() {
        let mut turns = Turns::new(1);
        turns.refresh(&Pool::of(&[1, 1]));
        for _ in 0..100 {
            turns.take(0);
        }
        turns.take(1);
        assert!(turns.due(1) > turns.now);
    }
}
