//! The network: cards found, matched, given what `system.interfaces` says, as they come and go.
//!
//! One thread, `weir-network`, owns all of it. It is level-triggered: whatever happens (a plan, a card, a cable, a
//! lease), it looks at what is, computes what ought to be (`desired`), and carries out the difference (`planner`), so
//! what did not change is not touched, connections included. What can be decided without the kernel is pure and tested
//! without it: matching (`card`), the DHCP dialogue (`dhcp::machine`), routes and metrics (`desired`).
//!
//! It waits for nobody: a network that does not answer leaves a card without an address, asked for again for ever.

mod card;
mod desired;
mod dhcp;
pub mod ip_argument;
mod kernel;
mod names;
mod netlink;
mod owner;
mod planner;
mod report;
mod router_options;
mod settings;

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::EventfdFlags;
use weir_config::model::Interface;

use crate::Teller;

/// What the network is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Empty: DHCPv4 and SLAAC on every card.
    pub interfaces: Vec<Interface>,
    /// Before those that DHCP names.
    pub name_servers: Vec<IpAddr>,
    /// None: what DHCP says, else `weir`.
    pub hostname: Option<String>,
}

/// What a card has come to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct InterfaceStatus {
    /// The kernel's name; empty where the file names a card that is not there.
    pub name: String,
    /// The name in the file, where one matches.
    pub configured_as: Option<String>,
    /// As the kernel writes it.
    pub mac: String,
    /// Such as `virtio_net`.
    pub driver: String,
    /// Whether a cable, real or virtual, is in.
    pub carrier: bool,
    /// With the length of their prefix; link-local ones too.
    pub addresses: Vec<String>,
    /// `dhcp`, `static`, `slaac`, or why there is none: "no DHCP answer, still asking".
    pub condition: String,
}

/// Where the network's files are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder of the leases that are kept over a restart.
    pub leases: PathBuf,
    /// The name servers, for whoever looks up names.
    pub resolv_conf: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { leases: "/state/leases".into(), resolv_conf: "/run/weir/resolv.conf".into() }
    }
}

/// The thread that owns the network.
#[derive(Debug, Clone)]
pub struct Network(Arc<Shared>);

/// What the thread and its callers share.
#[derive(Debug)]
struct Shared {
    /// A plan that was not taken up yet; a newer one takes its place.
    plan: Mutex<Option<Plan>>,
    /// Wakes the thread for it. None: there is none to be had, and the thread looks twice a second.
    wake: Option<OwnedFd>,
    report: Mutex<Report>,
    changed: Condvar,
}

/// What the thread tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Report {
    interfaces: Vec<InterfaceStatus>,
    hostname: String,
    /// As DHCP's option 42 names them.
    ntp_servers: Vec<IpAddr>,
    name_servers: Vec<IpAddr>,
    /// One card has an address, and none waits for one.
    ready: bool,
}

impl Network {
    /// Starts the thread; it tells [`crate::Event::Network`] at every change.
    #[must_use]
    pub fn start(teller: Teller) -> Self {
        Self::start_at(teller, Places::default())
    }

    /// The same, with its files elsewhere.
    #[must_use]
    pub fn start_at(teller: Teller, places: Places) -> Self {
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok();
        let shared = Arc::new(Shared {
            plan: Mutex::default(),
            wake,
            report: Mutex::default(),
            changed: Condvar::new(),
        });
        let owned = Arc::clone(&shared);
        let started = std::thread::Builder::new()
            .name("weir-network".to_owned())
            .spawn(move || owner::run(&owned, &teller, &places));
        if let Err(error) = started {
            tracing::error!(%error, "the network's thread can't be started: there will be no network");
        }
        Self(shared)
    }

    /// Makes the network what `plan` says; at the start, and whenever the configuration changes.
    pub fn apply(&self, plan: Plan) {
        *lock(&self.0.plan) = Some(plan);
        if let Some(wake) = &self.0.wake {
            // Can't fail in a way that matters: a counter that is full has woken the thread already.
            let _ = rustix::io::write(wake, &1_u64.to_ne_bytes());
        }
    }

    /// What every card has come to, in the order of their places on the bus.
    #[must_use]
    pub fn status(&self) -> Vec<InterfaceStatus> {
        lock(&self.0.report).interfaces.clone()
    }

    /// What the machine calls itself now.
    #[must_use]
    pub fn hostname(&self) -> String {
        lock(&self.0.report).hostname.clone()
    }

    /// Whom `resolv.conf` names now: the plan's, then DHCP's, then those of router advertisements.
    #[must_use]
    pub fn name_servers(&self) -> Vec<IpAddr> {
        lock(&self.0.report).name_servers.clone()
    }

    /// The NTP servers that DHCP names.
    #[must_use]
    pub fn ntp_servers(&self) -> Vec<IpAddr> {
        lock(&self.0.report).ntp_servers.clone()
    }

    /// Waits until every card that has a cable has its addresses, and one has; false where the time is over first.
    #[must_use]
    pub fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut report = lock(&self.0.report);
        while !report.ready {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            report = self.0.changed.wait_timeout(report, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// The lock's content, even if a thread died with it: everything here is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
