//! VMware's tools: shutting down and restarting at vSphere's wish, the addresses and the name that its page shows, and
//! the heartbeat.
//!
//! Guest and host talk over vSockets, as open-vm-tools does first: TCLO is what the host asks, RPCI what the guest tells.
//! The older way, an I/O port, needs assembly, ends a process where an administrator has closed it to programs, and knows no
//! host that lacks vSockets and is still maintained (vSphere 6.5 has them). Needs the module `vmw_vsock_vmci_transport`.

mod nic_info;
mod packet;
pub(crate) mod rpc;
mod tclo;

use std::io;
use std::time::{Duration, Instant};

use crate::sources::Machine;
use crate::{Event, Teller};

use super::timed::Wait;
use super::{Facts, RETRY, Shared};
use rpc::{RpcError, Rpci};
use tclo::Tclo;

/// How often the host hears from us when it asks nothing; vSphere's HA counts these.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the rest of a message may take once it has begun.
const MESSAGE_LIMIT: Duration = Duration::from_secs(10);
/// How often the facts are told again; vCenter forgets a guest that says nothing of itself.
const AGAIN: Duration = Duration::from_secs(60);

pub(crate) fn is_there(machine: &Machine) -> bool {
    // Both must agree: what calls itself VMware to some of its users has not all of it.
    let vendor = machine.line("sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let product = machine.line("sys/class/dmi/id/product_name").unwrap_or_default();
    vendor.starts_with("VMware") && product.starts_with("VMware")
}

pub(super) fn run(_machine: &Machine, shared: &Shared, teller: &Teller) {
    loop {
        let error = match converse(shared, teller) {
            Ok(never) => match never {},
            Err(error) => error,
        };
        shared.condition("vmware", error.to_string());
        std::thread::sleep(RETRY);
    }
}

enum Never {}

/// Answers the host, and tells it what changed, until a connection fails.
fn converse(shared: &Shared, teller: &Teller) -> Result<Never, RpcError> {
    let mut host = rpc::connect(rpc::TCLO_PORT, MESSAGE_LIMIT)?;
    let mut rpci = rpc::Channel::new(rpc::connect(rpc::RPCI_PORT, MESSAGE_LIMIT)?);
    let mut tclo = Tclo::default();
    let mut news = News::default();
    shared.condition("vmware", "connected");
    loop {
        if host.file.wait(HEARTBEAT).map_err(RpcError::Io)? {
            let request = packet::receive(&mut host)?;
            let turn = tclo.answer(&request.payload);
            for command in &turn.commands {
                // What the host does not know it refuses; that is no reason to be silent to it.
                rpci.call(command)?;
            }
            if turn.facts_wanted {
                news = News::default();
            }
            packet::send(&mut host, packet::DATA, Some(&turn.reply))?;
            if let Some((power, by)) = turn.power {
                teller.tell(Event::Power { power, by: by.to_owned() });
            }
        } else if tclo.has_begun() {
            packet::send(&mut host, packet::PING, None)?;
        }
        if tclo.has_begun() {
            news.tell(&shared.facts(), &mut rpci)?;
        }
    }
}

/// What was told, and when.
#[derive(Default)]
struct News {
    told: Option<(Facts, Instant)>,
}

impl News {
    fn tell(&mut self, facts: &Facts, rpci: &mut impl Rpci) -> Result<(), RpcError> {
        let is_old = |(told, at): &(Facts, Instant)| told != facts || at.elapsed() >= AGAIN;
        if self.told.as_ref().is_none_or(is_old) {
            for command in tclo::facts(facts, uptime()) {
                rpci.call(&command)?;
            }
            self.told = Some((facts.clone(), Instant::now()));
        }
        Ok(())
    }
}

fn uptime() -> Duration {
    let seconds = rustix::system::sysinfo().uptime;
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

impl From<io::Error> for RpcError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
