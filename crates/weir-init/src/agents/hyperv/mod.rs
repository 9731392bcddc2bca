//! Hyper-V: key-value pairs, both ways. `service` holds the one connection that the kernel allows, for the first-boot data
//! and for what the host's page shows; `message` is what is said. Shutdown, time and the heartbeat are the kernel's
//! `hv_utils`.

pub(crate) mod message;
pub(crate) mod service;

use std::time::Duration;

use crate::Teller;
use crate::sources::Machine;

use super::{RETRY, Shared};

/// How often the condition is looked at.
const LOOK: Duration = Duration::from_secs(60);

/// The service answers by itself; this sees to it that it runs, and tells how it fares.
pub(super) fn run(machine: &Machine, shared: &Shared, _teller: &Teller) {
    let service = service::start(machine);
    service.set_facts(&shared.facts());
    loop {
        let condition = service.condition();
        std::thread::sleep(if condition.is_ok() { LOOK } else { RETRY });
        match condition {
            Ok(()) => shared.condition("hyperv", "answering"),
            Err(text) => shared.condition("hyperv", text),
        }
    }
}
