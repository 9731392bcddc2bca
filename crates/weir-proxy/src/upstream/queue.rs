//! Requests that wait for a server with room.
//!
//! Nobody who finds a server with room touches this but to read one counter, which is zero then. Who waits
//! is served in the order of arrival: a newcomer that finds somebody waiting waits behind him.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

/// The queue of one pool, all workers together.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicU32,
    room: Notify,
}

/// A place in a queue, given up when dropped.
pub(crate) struct Place<'a>(&'a Queue);

impl Queue {
    pub(crate) fn length(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes a place, unless `max` are taken.
    pub(crate) fn enter(&self, max: u32) -> Option<Place<'_>> {
        if self.waiting.fetch_add(1, Ordering::SeqCst) < max {
            return Some(Place(self));
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        None
    }

    /// A server has room for one more: the first of those who wait looks again.
    pub(crate) fn wake_one(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.room.notify_one();
        }
    }

    /// Servers came back: all who wait look again.
    pub(crate) fn wake_all(&self) {
        self.room.notify_waiters();
    }
}

impl Place<'_> {
    /// Waits until `attempt`, made now and whenever there may be room, gives something.
    pub(crate) async fn wait_for<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> T {
        loop {
            // Enabled before the attempt: room made in between is not missed.
            let mut room = std::pin::pin!(self.0.room.notified());
            room.as_mut().enable();
            if let Some(found) = attempt() {
                return found;
            }
            room.await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
