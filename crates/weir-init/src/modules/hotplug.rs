//! Devices as they are at the start, and as they come afterwards.
//!
//! The socket is open before the first look at `/sys`, so that nothing that appears in between is missed; what is seen twice
//! is loaded once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::Loader;
use super::uevent::{Received, Uevent, Uevents};
use crate::{button, console, spread, threads};

/// Where devices without a bus have a modalias: keys and buttons (`evdev`).
const CLASSES: &[&str] = &["/sys/class/input"];

/// How many devices there were to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) devices: usize,
}

/// Loads what the devices ask for that are there, and those that appear thereby, until no more appear.
pub(crate) fn coldplug(loader: &mut Loader, uevents: Option<&Uevents>) -> Looked {
    let devices = devices();
    for modalias in &devices {
        loader.load(modalias);
    }
    // Bounded by the kernel's own queue: what is read here was sent before this loop ran dry.
    while let Some(Ok(received)) = uevents.map(|uevents| uevents.receive(false)) {
        match received {
            Received::Event(event) => load_for(loader, &event),
            Received::Lost => self::devices().iter().for_each(|modalias| loader.load(modalias)),
            Received::Nothing => break,
        }
    }
    Looked { devices: devices.len() }
}

fn load_for(loader: &mut Loader, event: &Uevent) {
    if let Some(modalias) = event.modalias.as_deref().filter(|_| event.adds()) {
        loader.load(modalias);
    }
}

/// The modaliases of all devices, in the order of their places: PCI's order for what hangs on PCI.
fn devices() -> Vec<String> {
    let buses = entries(Path::new("/sys/bus")).into_iter().map(|bus| bus.join("devices"));
    let mut found: Vec<(Vec<Part>, String)> = buses
        .chain(CLASSES.iter().map(PathBuf::from))
        .flat_map(|folder| entries(&folder))
        .filter_map(|device| {
            let modalias = std::fs::read_to_string(device.join("modalias")).ok()?;
            let modalias = modalias.trim_end().to_owned();
            if modalias.is_empty() {
                return None;
            }
            let place = device.canonicalize().ok()?;
            Some((natural(&place.to_string_lossy()), modalias))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, modalias)| modalias).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// A piece of a path by which places are ordered: `virtio10` comes after `virtio9`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Number(u64),
    Text(String),
}

/// `0000:00:1f.0` is hexadecimal, whose digits sort rightly as text of one length; only decimal runs after letters do not.
pub(crate) fn natural(path: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in path.split('/') {
        let digits = piece.len() - piece.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (text, number) = piece.split_at(piece.len() - digits);
        parts.push(Part::Text(text.to_owned()));
        if let Ok(number) = number.parse() {
            parts.push(Part::Number(number));
        }
    }
    parts
}

/// The thread for what comes later, and a way to wait for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Devices(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<u64>,
    changed: Condvar,
}

impl Devices {
    /// Starts the thread. Power buttons that appear tell by `teller`.
    pub(crate) fn watch(uevents: Uevents, mut loader: Loader, teller: crate::Teller) -> Self {
        let devices = Self::default();
        let shared = devices.clone();
        threads::start("devices", move || {
            loop {
                match uevents.receive(true) {
                    Ok(Received::Event(event)) => {
                        load_for(&mut loader, &event);
                        greet(&event, &teller);
                    }
                    Ok(Received::Lost) => drop(coldplug(&mut loader, Some(&uevents))),
                    Ok(Received::Nothing) => {}
                    Err(error) => {
                        return console::say(&format!("devices that are added are no longer seen: {error}"));
                    }
                }
                loader.take_faults().iter().for_each(|fault| console::note(fault));
                shared.changed();
            }
        });
        devices
    }

    fn changed(&self) {
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_all();
    }

    /// Asks `look` whenever devices came or went, until it finds something or `deadline` passes.
    pub(crate) fn wait_for<T>(&self, deadline: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            let before = *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = look() {
                return Some(found);
            }
            let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.0.changed.wait_timeout_while(seen, left, |seen| *seen == before);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What else is done for a device that came.
fn greet(event: &Uevent, teller: &crate::Teller) {
    if !event.adds() {
        return;
    }
    match (&*event.subsystem, &event.node) {
        ("net", _) => {
            if let Some(name) = event.path.rsplit('/').next() {
                spread::card(name);
            }
        }
        ("input", Some(node)) => button::watch(node, teller),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn places_are_ordered_as_people_count() {
        let mut places = [
            "/devices/pci0000:00/0000:00:1f.2",
            "/devices/pci0000:00/0000:00:0a.0/virtio10",
            "/devices/pci0000:00/0000:00:09.0/virtio9",
            "/devices/pci0000:00/0000:00:03.0",
            "/devices/vif-10",
            "/devices/vif-9",
        ];
        places.sort_by_key(|place| natural(place));
        assert_eq!(
            places,
            [
                "/devices/pci0000:00/0000:00:03.0",
                "/devices/pci0000:00/0000:00:09.0/virtio9",
                "/devices/pci0000:00/0000:00:0a.0/virtio10",
                "/devices/pci0000:00/0000:00:1f.2",
                "/devices/vif-9",
                "/devices/vif-10",
            ]
        );
    }

    #[test]
    fn waits_until_what_it_looks_for_is_there() {
        let devices = Devices::default();
        let other = devices.clone();
        let thread = std::thread::spawn(move || {
            for _ in 0..3 {
                other.changed();
            }
        });
        let mut looks = 0;
        let deadline = Instant::now() + Duration::from_secs(10);
        let found = devices.wait_for(deadline, || {
            looks += 1;
            (*devices.0.seen.lock().unwrap() == 3).then_some("disk")
        });
        thread.join().unwrap();
        assert_eq!(found, Some("disk"));
        assert!(looks <= 4);
        assert_eq!(devices.wait_for(Instant::now(), || None::<()>), None);
    }
}
