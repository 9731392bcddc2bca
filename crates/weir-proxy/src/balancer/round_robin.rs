//! One after the other, as often as their shares say, evenly mixed: the order of [`turns`](super::turns), in
//! a heap, so that a pick among 10,000 costs a few comparisons.
//!
//! A member that does not admit when its turn comes loses that turn: it would otherwise stand at the head of
//! the heap and be looked at by every pick.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::turns::Turns;
use super::{Balancer, Members, PickKey, eligible};

/// Members that lose their turn in one pick before the rest are simply searched for the next one.
const PASSED_OVER_MAX: usize = 16;

/// Smooth weighted round robin.
#[derive(Debug)]
pub(super) struct RoundRobin {
    turns: Turns,
    /// Every member with a share, by when its turn is due.
    heap: BinaryHeap<Reverse<(u64, usize)>>,
}

impl RoundRobin {
    pub(super) fn new(seed: u64) -> Self {
        Self { turns: Turns::new(seed), heap: BinaryHeap::new() }
    }

    /// Orders the heap anew, in its own memory once that has grown.
    fn reorder(&mut self) {
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        entries.clear();
        entries.extend(self.turns.all().map(|member| Reverse((self.turns.due(member), member))));
        self.heap = entries.into();
    }
}

impl Balancer for RoundRobin {
    fn members_changed(&mut self, members: &dyn Members) {
        self.turns.refresh(members);
        self.reorder();
    }

    fn pick(&mut self, _key: &PickKey<'_>, members: &dyn Members) -> Option<usize> {
        if self.turns.set_back() {
            self.reorder();
        }
        for _ in 0..=PASSED_OVER_MAX.min(self.heap.len()) {
            let mut head = self.heap.peek_mut()?;
            let Reverse((due, member)) = &mut *head;
            let member = *member;
            self.turns.take(member);
            *due = self.turns.due(member);
            if eligible(members, member) {
                return Some(member);
            }
        }
        let waiting = self.heap.iter().map(|Reverse(entry)| entry).filter(|(_, at)| eligible(members, *at));
        let (_, member) = *waiting.min()?;
        self.turns.take(member);
        self.reorder();
        Some(member)
    }
}
