//! Everything that the deciding thread can be told, on one page.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many events may wait; whoever tells one more waits.
const EVENTS_MAX: usize = 256;

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// Somebody wants the machine off or started again: the ACPI button, a signal, a hypervisor.
    Power {
        /// What is wanted.
        power: Power,
        /// Who asked, for the console: "ACPI power button", "VMware: shut down guest".
        by: String,
    },
    /// A network card came, went, or has other addresses; what it is now, [`crate::network::Network::status`] tells.
    Network,
    /// The configuration file was replaced (by the child, at an operator's wish).
    Configuration,
    /// The clock was set, by the server that is named.
    Clock(String),
    /// A child ended; the deciding thread reaps.
    Child,
    /// The child serves: every listener is bound.
    Serving,
    /// The child's data plane lives; told about once a second.
    Alive,
}

/// What becomes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Drained, then off.
    Off,
    /// Drained, then started again.
    Restart,
}

/// Tells the deciding thread; every thread has a clone.
#[derive(Debug, Clone)]
pub struct Teller(SyncSender<Event>);

impl Teller {
    /// The two ends.
    #[must_use]
    pub fn channel() -> (Self, Receiver<Event>) {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        (Self(sender), receiver)
    }

    /// Tells; false where nobody listens any more, and the thread may end.
    pub fn tell(&self, event: Event) -> bool {
        self.0.send(event).is_ok()
    }
}
