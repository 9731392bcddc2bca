//! The one connection to `/dev/vmbus/hv_kvp`. The kernel allows a single daemon, and the host tells its pairs once, after
//! the registration: so whoever comes first (the first-boot search, as a rule) starts the thread, and it answers until the
//! machine is off. The one thing in this crate that is global, as the device is.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::sources::Machine;

use super::message::{MESSAGE_BYTES, Pools, Told, register};
use crate::agents::{Facts, RETRY, STACK_BYTES};

const DEVICE: &str = "dev/vmbus/hv_kvp";
const VMBUS_DEVICES: &str = "sys/bus/vmbus/devices";
/// The class of the channel over which the pairs come (`HV_KVP_GUID`).
const CLASS: &str = "{a9a0f4e7-5a45-4d96-b827-8a841e8c03e6}";

static SERVICE: OnceLock<Arc<Service>> = OnceLock::new();

/// The conversation and what it has come to.
#[derive(Debug, Default)]
pub(crate) struct Service {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pools: Pools,
    facts: Facts,
    /// When the host last said something of its pairs.
    told: Option<Instant>,
    trouble: Option<String>,
}

/// Whether the host offers the exchange.
pub(crate) fn is_there(machine: &Machine) -> bool {
    machine.path(DEVICE).exists()
        || machine.names(VMBUS_DEVICES).iter().any(|device| {
            machine.line(&format!("{VMBUS_DEVICES}/{device}/class_id")).as_deref() == Some(CLASS)
        })
}

/// The service, started if it was not.
pub(crate) fn start(machine: &Machine) -> Arc<Service> {
    let started = SERVICE.get_or_init(|| {
        let service = Arc::new(Service::default());
        let (running, path) = (Arc::clone(&service), machine.path(DEVICE));
        let run = move || {
            loop {
                let opened = OpenOptions::new().read(true).write(true).open(&path);
                let Err(error) = opened.and_then(|device| running.converse(device));
                running.lock().trouble = Some(format!("/dev/vmbus/hv_kvp: {error}"));
                std::thread::sleep(RETRY);
            }
        };
        let spawned =
            std::thread::Builder::new().name("weir-kvp".to_owned()).stack_size(STACK_BYTES).spawn(run);
        if let Err(error) = spawned {
            service.lock().trouble = Some(format!("no thread: {error}"));
        }
        service
    });
    Arc::clone(started)
}

/// Gives a service that runs what the host may ask.
pub(crate) fn report(facts: &Facts) {
    if let Some(service) = SERVICE.get() {
        service.set_facts(facts);
    }
}

/// What can't be.
#[derive(Debug)]
pub(crate) enum Never {}

impl Service {
    pub(crate) fn set_facts(&self, facts: &Facts) {
        self.lock().facts.clone_from(facts);
    }

    /// Whether it answers, and if not, why.
    pub(crate) fn condition(&self) -> Result<(), String> {
        self.lock().trouble.clone().map_or(Ok(()), Err)
    }

    /// What `read` makes of the host's pairs, once the host has said nothing more for `quiet`, or nothing at all for
    /// `limit`.
    pub(crate) fn settled<R>(&self, quiet: Duration, limit: Duration, read: impl FnOnce(&Pools) -> R) -> R {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            let wait = match state.told {
                Some(told) => quiet.saturating_sub(told.elapsed()),
                None => limit.saturating_sub(begun.elapsed()),
            };
            if wait.is_zero() {
                return read(&state.pools);
            }
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Registers and answers, until the device fails.
    fn converse<T: Read + Write>(&self, mut device: T) -> io::Result<Never> {
        device.write_all(&register())?;
        let mut message = Box::new([0; MESSAGE_BYTES]);
        loop {
            // The device gives and takes whole messages.
            device.read_exact(&mut message[..])?;
            let told = {
                let mut state = self.lock();
                let State { pools, facts, .. } = &mut *state;
                let told = pools.answer(&mut message, facts);
                state.trouble = None;
                if told == Told::Changed {
                    state.told = Some(Instant::now());
                }
                told
            };
            if told != Told::Registered {
                device.write_all(&message[..])?;
            }
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::net::UnixStream;

    use super::super::message::tests::{message, set};
    use super::*;

    /// A service that a host has told these pairs.
    pub(crate) fn told(pairs: &[(&str, &str)]) -> Service {
        let service = Service::default();
        for (key, value) in pairs {
            let mut state = service.lock();
            state.pools.answer(&mut set(key, value), &Facts::default());
            state.told = Some(Instant::now());
        }
        service
    }

    #[test]
    fn a_host_is_registered_with_and_answered() {
        let (ours, mut host) = UnixStream::pair().unwrap();
        let service = Arc::new(Service::default());
        let running = Arc::clone(&service);
        let thread = std::thread::spawn(move || running.converse(ours));
        let mut answer = Box::new([0; MESSAGE_BYTES]);
        host.read_exact(&mut answer[..]).unwrap();
        assert_eq!(answer[0], 100);
        host.write_all(&message(100, 0)[..]).unwrap();
        host.write_all(&set("weir.config", "version: 1\n")[..]).unwrap();
        host.read_exact(&mut answer[..]).unwrap();
        assert_eq!(answer[..4], [0; 4]);
        let pairs = service.settled(Duration::from_millis(1), Duration::from_secs(10), |pools| {
            pools.host_pairs().map(|(key, _)| key.to_owned()).collect::<Vec<_>>()
        });
        assert_eq!(pairs, ["weir.config"]);
        drop(host);
        assert!(thread.join().unwrap().is_err());
    }

    #[test]
    fn a_silent_host_is_waited_for_in_vain_and_not_longer() {
        let service = Service::default();
        assert_eq!(
            service.settled(Duration::from_secs(9), Duration::from_millis(10), |pools| pools
                .host_pairs()
                .count()),
            0
        );
    }
}
