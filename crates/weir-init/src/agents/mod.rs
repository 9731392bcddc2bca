//! The guest's side of each hypervisor's tools: requests to shut down, and the addresses that its page shows.
//!
//! One folder a hypervisor: what it speaks is pure (`message`, `packet`, `protocol`) or works on anything that reads and
//! writes; a thread with a small stack runs it, and only where the hypervisor is there. Agents answer and tell; what
//! becomes of a request, the deciding thread says. What fails is tried again for ever, slowly: a machine without its
//! tools still balances.
//!
//! Xen's requests to shut down and Hyper-V's come through the kernel, which runs `/sbin/poweroff` and its siblings.

pub(crate) mod hyperv;
mod qemu;
mod timed;
pub(crate) mod vmware;
pub(crate) mod xen;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Teller;
use crate::network::InterfaceStatus;
use crate::sources::Machine;

/// An agent's stack; the deepest of them fills a message of 8 KiB and a JSON document.
const STACK_BYTES: usize = 128 << 10;
/// How long an agent waits before it tries again what failed.
const RETRY: Duration = Duration::from_secs(5);

/// The agents that run.
#[derive(Debug)]
pub struct Agents(Arc<Shared>);

impl Agents {
    /// Starts those whose hypervisor is there.
    #[must_use]
    pub fn start(teller: &Teller) -> Self {
        let shared = Arc::new(Shared::default());
        let machine = Machine::here();
        for agent in TABLE.iter().filter(|agent| (agent.is_there)(&machine)) {
            let (shared, teller, machine) = (Arc::clone(&shared), teller.clone(), machine.clone());
            let run = move || (agent.run)(&machine, &shared, &teller);
            let name = format!("weir-{}", agent.name);
            // Without the thread there is no agent, and nobody else misses it.
            let _ = std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(run);
        }
        Self(shared)
    }

    /// Tells the hypervisors what the machine is called and its addresses.
    pub fn report(&self, hostname: &str, interfaces: &[InterfaceStatus]) {
        let mut state = self.0.lock();
        if state.facts.hostname != hostname || state.facts.interfaces != interfaces {
            state.facts.hostname = hostname.to_owned();
            state.facts.interfaces = interfaces.to_vec();
            state.generation += 1;
            hyperv::service::report(&state.facts);
            self.0.changed.notify_all();
        }
    }

    /// Each agent that runs and how it fares, for people: `vmware`, "connected".
    #[must_use]
    pub fn conditions(&self) -> Vec<(&'static str, String)> {
        self.0.lock().conditions.iter().map(|(name, text)| (*name, text.clone())).collect()
    }
}

/// An agent.
struct Agent {
    name: &'static str,
    is_there: fn(&Machine) -> bool,
    /// Does not return, unless there is nothing to do any more.
    run: fn(&Machine, &Shared, &Teller),
}

const TABLE: &[Agent] = &[
    Agent { name: "qemu", is_there: qemu::is_there, run: qemu::run },
    Agent { name: "vmware", is_there: vmware::is_there, run: vmware::run },
    Agent { name: "xen", is_there: xen::is_there, run: xen::run },
    Agent { name: "hyperv", is_there: hyperv::service::is_there, run: hyperv::run },
];

/// What all agents read.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    facts: Facts,
    /// Counts what was reported.
    generation: u64,
    conditions: BTreeMap<&'static str, String>,
}

/// What a hypervisor may want to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) hostname: String,
    pub(crate) interfaces: Vec<InterfaceStatus>,
}

impl Facts {
    /// The addresses that others can use, card by card.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.iter().flat_map(usable).map(|(address, _)| address)
    }
}

/// A card's addresses with the lengths of their prefixes, without those that hold on its wire alone.
pub(crate) fn usable(card: &InterfaceStatus) -> impl Iterator<Item = (IpAddr, u8)> {
    let addresses = card.addresses.iter().filter_map(|text| {
        let (address, length) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().ok()?;
        Some((address, length.parse().unwrap_or(if address.is_ipv4() { 32 } else { 128 })))
    });
    addresses.filter(|(address, _)| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half changed under this lock, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn facts(&self) -> Facts {
        self.lock().facts.clone()
    }

    /// What is reported now, if it is not what `seen` was; waits for it at most `wait`.
    pub(crate) fn news(&self, seen: &mut u64, wait: Duration) -> Option<Facts> {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, wait, |state| state.generation == *seen);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.generation == *seen {
            return None;
        }
        *seen = state.generation;
        Some(state.facts.clone())
    }

    pub(crate) fn condition(&self, agent: &'static str, text: impl Into<String>) {
        self.lock().conditions.insert(agent, text.into());
    }
}

/// What the hypervisors call us.
pub(crate) const OS_NAME: &str = "Weir";
pub(crate) const OS_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The kernel's release, such as `6.12.95+deb12-amd64`.
pub(crate) fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn facts() -> Facts {
        let card = |name: &str, mac: &str, addresses: &[&str]| InterfaceStatus {
            name: name.to_owned(),
            configured_as: None,
            mac: mac.to_owned(),
            driver: "virtio_net".to_owned(),
            carrier: true,
            addresses: addresses.iter().map(|&text| text.to_owned()).collect(),
            condition: "dhcp".to_owned(),
        };
        Facts {
            hostname: "lb1".to_owned(),
            interfaces: vec![
                card("eth0", "52:54:00:12:34:56", &["192.0.2.10/24", "fe80::1/64", "2001:db8::10/64"]),
                card("eth1", "52:54:00:12:34:57", &[]),
            ],
        }
    }

    #[test]
    fn link_local_addresses_are_of_no_use_to_others() {
        let texts: Vec<String> = facts().addresses().map(|address| address.to_string()).collect();
        assert_eq!(texts, ["192.0.2.10", "2001:db8::10"]);
    }

    #[test]
    fn news_are_told_once() {
        let agents = Agents(Arc::new(Shared::default()));
        let mut seen = 0;
        assert_eq!(agents.0.news(&mut seen, Duration::ZERO), None);
        agents.report("lb1", &facts().interfaces);
        assert_eq!(agents.0.news(&mut seen, Duration::ZERO), Some(facts()));
        agents.report("lb1", &facts().interfaces);
        assert_eq!(agents.0.news(&mut seen, Duration::ZERO), None);
    }
}
