//! Requests that wait for a server with room.
//!
//! Nobody who finds a server with room touches this but to read one counter, which is zero then. Who waits is
//! served strictly in the order of arrival: only the first in line looks for room, and a newcomer never looks
//! before those who came earlier. (When newcomers looked once and the line was asked to look again, a few
//! requests were overtaken for as long as the overload lasted.)

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The queue of one pool, all workers together.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// How many wait, for those who need not know more.
    length: AtomicU32,
    line: Mutex<Line>,
}

/// Those who wait, and what they were told.
#[derive(Debug, Default)]
struct Line {
    /// In the order of arrival, so by ticket.
    waiting: VecDeque<(u64, Option<Waker>)>,
    next_ticket: u64,
    /// How often room was made that the first in line has not looked for yet.
    room: u32,
}

/// A place in a queue, given up when dropped.
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    ticket: u64,
}

impl Queue {
    pub(crate) fn length(&self) -> u32 {
        self.length.load(Ordering::SeqCst)
    }

    /// Takes a place, unless `max` are taken.
    pub(crate) fn enter(&self, max: u32) -> Option<Place<'_>> {
        let mut line = self.line();
        if line.waiting.len() >= max as usize {
            return None;
        }
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiting.push_back((ticket, None));
        self.publish(&line);
        Some(Place { queue: self, ticket })
    }

    /// A server has room for one more: the first of those who wait looks.
    pub(crate) fn wake_one(&self) {
        if self.length() > 0 {
            self.wake(1);
        }
    }

    /// Servers came back: all who wait look, one after the other, until there is no more room.
    pub(crate) fn wake_all(&self) {
        self.wake(u32::MAX);
    }

    fn wake(&self, room: u32) {
        let mut line = self.line();
        line.room = line.room.saturating_add(room);
        let first = line.first_waker();
        drop(line);
        first.into_iter().for_each(Waker::wake);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, line: &Line) {
        self.length.store(line.waiting.len() as u32, Ordering::SeqCst);
    }
}

impl Line {
    fn first_waker(&mut self) -> Option<Waker> {
        self.waiting.front_mut().and_then(|(_, waker)| waker.take())
    }
}

impl Place<'_> {
    /// Waits until `attempt`, made when this place is the first and whenever there may be room then, gives
    /// something.
    pub(crate) async fn wait_for<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| self.poll(&mut attempt, cx)).await
    }

    fn poll<T>(&self, attempt: &mut impl FnMut() -> Option<T>, cx: &mut Context<'_>) -> Poll<T> {
        let mut line = self.queue.line();
        let mine = line.waiting.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        let Ok(at) = mine else { return Poll::Pending }; // only Drop takes a place out
        // Before the attempt, so that room made in between is not missed.
        line.waiting[at].1 = Some(cx.waker().clone());
        if at > 0 {
            return Poll::Pending;
        }
        let room = std::mem::take(&mut line.room);
        drop(line);
        let Some(found) = attempt() else { return Poll::Pending };
        let mut line = self.queue.line();
        line.room = line.room.saturating_add(room.saturating_sub(1)); // what is left is for the next one
        Poll::Ready(found)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        let mine = line.waiting.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        let Ok(at) = mine else { return };
        line.waiting.remove(at);
        self.queue.publish(&line);
        // The next in line has never looked: if there is room that nobody has taken, it is told.
        let next = if at == 0 && line.room > 0 { line.first_waker() } else { None };
        if line.waiting.is_empty() {
            line.room = 0;
        }
        drop(line);
        next.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::{Pin, pin};

    use super::*;

    /// Places at a server, of which some are free.
    struct Server(Cell<u32>);

    impl Server {
        fn take(&self) -> Option<()> {
            let free = self.0.get().checked_sub(1)?;
            self.0.set(free);
            Some(())
        }

        fn free_one(&self, queue: &Queue) {
            self.0.set(self.0.get() + 1);
            queue.wake_one();
        }
    }

    fn is_ready(future: Pin<&mut impl Future<Output = ()>>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn who_came_first_is_served_first_even_if_asked_last() {
        let (queue, server) = (Queue::default(), Server(Cell::new(0)));
        let (first, second) = (queue.enter(9).unwrap(), queue.enter(9).unwrap());
        let mut one = pin!(first.wait_for(|| server.take()));
        let mut two = pin!(second.wait_for(|| server.take()));
        assert!(!is_ready(one.as_mut()) && !is_ready(two.as_mut()));
        server.free_one(&queue);
        let third = queue.enter(9).unwrap();
        assert!(!is_ready(pin!(third.wait_for(|| server.take()))), "a newcomer overtakes");
        assert!(!is_ready(two.as_mut()) && is_ready(one.as_mut()));
    }

    /// Polls its future when woken, as a runtime would.
    #[derive(Default)]
    struct Flag(std::sync::atomic::AtomicBool);

    impl std::task::Wake for Flag {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn room_for_two_that_is_made_before_anybody_looks_serves_two() {
        let (queue, server) = (Queue::default(), Server(Cell::new(0)));
        let flag = std::sync::Arc::new(Flag::default());
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let (first, second) = (queue.enter(9).unwrap(), queue.enter(9).unwrap());
        assert!(first.poll(&mut || server.take(), &mut Context::from_waker(Waker::noop())).is_pending());
        assert!(second.poll(&mut || server.take(), &mut Context::from_waker(&waker)).is_pending());
        server.free_one(&queue);
        server.free_one(&queue);
        assert!(first.poll(&mut || server.take(), &mut Context::from_waker(Waker::noop())).is_ready());
        assert!(!flag.0.load(Ordering::SeqCst));
        drop(first);
        assert!(flag.0.load(Ordering::SeqCst), "nobody tells the second");
        assert!(second.poll(&mut || server.take(), &mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn a_full_queue_takes_nobody_and_a_place_given_up_is_free_again() {
        let queue = Queue::default();
        let place = queue.enter(1).unwrap();
        assert!(queue.enter(1).is_none());
        assert_eq!(queue.length(), 1);
        drop(place);
        assert_eq!(queue.length(), 0);
        assert!(queue.enter(1).is_some());
    }
}
