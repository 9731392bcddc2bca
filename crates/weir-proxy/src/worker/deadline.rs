//! Deadlines that cost nothing while they are met.
//!
//! A session moves its deadline several times a request, nearly always to a later instant. Registering each
//! move with the runtime's timer would cost more than the request's own bookkeeping, so a worker keeps one
//! heap of its own: moving a deadline to a later instant is a store to a `Cell`, and the heap learns of it
//! when the old instant comes up. One task a worker sleeps until the heap's first instant.
//!
//! Invariant: an entry with a deadline is in the heap at `armed`, which is not after its deadline.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use tokio::sync::Notify;

/// All deadlines of one worker.
#[derive(Default)]
pub(crate) struct Deadlines {
    heap: RefCell<BinaryHeap<Reverse<Armed>>>,
    /// Entries in the heap whose [`Deadline`] is gone; when they are half of it they are swept out.
    dead: Cell<usize>,
    /// Tells the driver that the heap's first instant moved forward.
    earlier: Notify,
}

/// One session's deadline; gone when dropped.
pub(crate) struct Deadline {
    all: Rc<Deadlines>,
    entry: Rc<Entry>,
}

struct Entry {
    due: Cell<Option<Instant>>,
    /// The earliest instant at which the heap holds this entry.
    armed: Cell<Option<Instant>>,
    fired: Cell<bool>,
    alive: Cell<bool>,
    /// Whose it is does nothing but wait, and could go if room is needed.
    spare: Cell<bool>,
    /// It is asked to go.
    shed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

struct Armed {
    at: Instant,
    entry: Rc<Entry>,
}

impl Deadlines {
    /// The heap is swept only when it holds at least this many entries.
    const SWEEP_MIN: usize = 256;

    /// A deadline that is not set yet.
    pub(crate) fn register(self: &Rc<Self>) -> Deadline {
        let entry = Rc::new(Entry {
            due: Cell::new(None),
            armed: Cell::new(None),
            fired: Cell::new(false),
            alive: Cell::new(true),
            spare: Cell::new(false),
            shed: Cell::new(false),
            waker: RefCell::new(None),
        });
        Deadline { all: Rc::clone(self), entry }
    }

    /// Sleeps and fires, for as long as the worker lives.
    pub(crate) async fn drive(self: Rc<Self>) {
        loop {
            let next = self.fire(Instant::now());
            match next {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.earlier.notified() => {}
                    }
                }
                None => self.earlier.notified().await,
            }
        }
    }

    /// Wakes whatever is due at `now`; returns the next instant to look again.
    fn fire(&self, now: Instant) -> Option<Instant> {
        let mut heap = self.heap.borrow_mut();
        while let Some(Reverse(first)) = heap.peek() {
            if first.at > now {
                return Some(first.at);
            }
            let Some(Reverse(Armed { at, entry })) = heap.pop() else { break };
            if !entry.alive.get() {
                self.dead.set(self.dead.get().saturating_sub(1));
                continue;
            }
            if entry.armed.get() != Some(at) {
                continue; // it is in the heap again, earlier: this one is left over
            }
            match entry.due.get() {
                None => entry.armed.set(None),
                Some(due) if due <= now => {
                    entry.armed.set(None);
                    entry.fired.set(true);
                    if let Some(waker) = entry.waker.borrow_mut().take() {
                        waker.wake();
                    }
                }
                Some(due) => {
                    entry.armed.set(Some(due));
                    heap.push(Reverse(Armed { at: due, entry }));
                }
            }
        }
        None
    }

    /// Asks up to `max` of those who do nothing but wait to go, roughly who has waited longest first; how many
    /// were asked. A look at each entry at worst, and seldom at more than the first few.
    pub(crate) fn shed(&self, max: usize) -> usize {
        let heap = self.heap.borrow();
        let spare = heap
            .iter()
            .map(|Reverse(armed)| &armed.entry)
            .filter(|entry| entry.alive.get() && entry.spare.get() && !entry.shed.get());
        let mut asked = 0;
        for entry in spare.take(max) {
            entry.shed.set(true);
            if let Some(waker) = entry.waker.borrow_mut().take() {
                waker.wake();
            }
            asked += 1;
        }
        asked
    }

    fn arm(&self, entry: &Rc<Entry>, at: Instant) {
        let mut heap = self.heap.borrow_mut();
        let first = heap.peek().is_none_or(|Reverse(first)| at < first.at);
        heap.push(Reverse(Armed { at, entry: Rc::clone(entry) }));
        entry.armed.set(Some(at));
        if first {
            self.earlier.notify_one();
        }
    }

    fn forget(&self) {
        let dead = self.dead.get() + 1;
        self.dead.set(dead);
        let mut heap = self.heap.borrow_mut();
        if heap.len() >= Self::SWEEP_MIN && dead * 2 > heap.len() {
            heap.retain(|Reverse(armed)| armed.entry.alive.get());
            self.dead.set(0);
        }
    }
}

impl Deadline {
    /// Wakes the task at `at`; replaces what was set before.
    pub(crate) fn set(&self, at: Instant) {
        self.entry.fired.set(false);
        self.entry.due.set(Some(at));
        if self.entry.armed.get().is_none_or(|armed| at < armed) {
            self.all.arm(&self.entry, at);
        }
    }

    /// Whether its owner does nothing but wait, and could go if room is needed.
    pub(crate) fn set_spare(&self, spare: bool) {
        self.entry.spare.set(spare);
    }

    /// Whether its owner is asked to go.
    pub(crate) fn is_shed(&self) -> bool {
        self.entry.shed.get()
    }

    /// Whether it has fired since it was set; if not, `cx` is woken when it does.
    pub(crate) fn poll_fired(&self, cx: &Context<'_>) -> bool {
        if self.entry.fired.get() {
            return true;
        }
        let mut waker = self.entry.waker.borrow_mut();
        match waker.as_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        false
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.entry.alive.set(false);
        self.entry.waker.borrow_mut().take();
        if self.entry.armed.get().is_some() {
            self.all.forget();
        }
    }
}

impl PartialEq for Armed {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Armed {}

impl PartialOrd for Armed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Armed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fired(deadline: &Deadline) -> bool {
        deadline.poll_fired(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_deadline_moved_later_fires_only_then() {
        let all = Rc::new(Deadlines::default());
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let deadline = all.register();
        deadline.set(start + second);
        deadline.set(start + 3 * second);
        assert_eq!(all.heap.borrow().len(), 1, "a later instant must not be registered again");
        assert_eq!(all.fire(start + 2 * second), Some(start + 3 * second));
        assert!(!fired(&deadline));
        assert_eq!(all.fire(start + 3 * second), None);
        assert!(fired(&deadline));
    }

    #[test]
    fn a_deadline_moved_earlier_fires_earlier_and_once() {
        let all = Rc::new(Deadlines::default());
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let deadline = all.register();
        deadline.set(start + 60 * second);
        deadline.set(start + second);
        all.fire(start + second);
        assert!(fired(&deadline));
        deadline.set(start + 120 * second);
        assert!(!fired(&deadline));
        all.fire(start + 61 * second);
        assert!(!fired(&deadline));
        all.fire(start + 121 * second);
        assert!(fired(&deadline));
    }

    #[test]
    fn deadlines_of_closed_sessions_do_not_pile_up() {
        let all = Rc::new(Deadlines::default());
        let start = Instant::now();
        for _ in 0..100_000 {
            all.register().set(start + Duration::from_secs(3600));
        }
        assert!(all.heap.borrow().len() <= Deadlines::SWEEP_MIN);
    }
}
