//! Xen: the addresses go to xenstore, where `xl`, XenCenter and Xen Orchestra read them. Requests to shut down are the
//! kernel's (`control/shutdown`, and the features that say so).

pub(crate) mod store;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use crate::Teller;
use crate::sources::Machine;

use super::{Facts, OS_NAME, OS_VERSION, RETRY, Shared, kernel_release, usable};
use store::{Store, StoreError};

/// How often everything is written again: after a migration the other host knows nothing.
const AGAIN: Duration = Duration::from_secs(60);

pub(super) fn is_there(machine: &Machine) -> bool {
    store::is_there(machine)
}

pub(super) fn run(machine: &Machine, shared: &Shared, _teller: &Teller) {
    let mut seen = 0;
    let mut facts = shared.facts();
    let mut written = BTreeMap::new();
    loop {
        let outcome = store::open(machine).and_then(|mut store| {
            let vif_of = |card: &str| vif_of(machine, card);
            write(&mut store, &entries(&facts, &vif_of), &mut written)
        });
        let wait = match outcome {
            Ok(()) => {
                shared.condition("xen", "reported");
                AGAIN
            }
            Err(error) => {
                shared.condition("xen", format!("xenstore: {error}"));
                RETRY
            }
        };
        if let Some(news) = shared.news(&mut seen, wait) {
            facts = news;
        }
    }
}

/// The number of a card's virtual interface; a card that is passed through has none.
fn vif_of(machine: &Machine, card: &str) -> Option<u32> {
    let node = machine.line(&format!("sys/class/net/{card}/device/nodename"))?;
    node.strip_prefix("device/vif/")?.parse().ok()
}

/// What xenstore is to hold, relative to the domain. `attr/` as Xen's xenstore-paths(7) has it, `data/` and `PVAddons`
/// as XenServer's own tools write them, without which its pages say that there are no tools.
fn entries(facts: &Facts, vif_of: &dyn Fn(&str) -> Option<u32>) -> BTreeMap<String, String> {
    let mut version = OS_VERSION.split('.');
    let mut part = || version.next().unwrap_or("0");
    let (major, minor, micro) = (part(), part(), part());
    let fixed = [
        ("attr/PVAddons/Installed", "1"),
        ("attr/PVAddons/MajorVersion", major),
        ("attr/PVAddons/MinorVersion", minor),
        ("attr/PVAddons/MicroVersion", micro),
        ("attr/PVAddons/BuildVersion", "0"),
        ("attr/os/class", "linux"),
        ("data/os_distro", "weir"),
        ("data/os_majorver", major),
        ("data/os_minorver", minor),
        ("control/feature-balloon", "1"),
    ];
    let mut entries: BTreeMap<String, String> =
        fixed.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    entries.insert("data/os_name".to_owned(), format!("{OS_NAME} {OS_VERSION}"));
    entries.insert("data/os_uname".to_owned(), kernel_release());
    if !facts.hostname.is_empty() {
        entries.insert("data/host_name".to_owned(), facts.hostname.clone());
    }
    for card in &facts.interfaces {
        let Some(vif) = vif_of(&card.name) else { continue };
        let (ipv4, ipv6): (Vec<_>, Vec<_>) =
            usable(card).map(|(address, _)| address).partition(std::net::IpAddr::is_ipv4);
        for (family, addresses) in [("ipv4", ipv4), ("ipv6", ipv6)] {
            for (number, address) in addresses.iter().enumerate() {
                entries.insert(format!("attr/vif/{vif}/{family}/{number}"), address.to_string());
            }
        }
    }
    entries
}

/// Writes what is to be there, removes what was and is not to be any more, and rings XenServer's bell.
fn write<T: Read + Write>(
    store: &mut Store<T>,
    entries: &BTreeMap<String, String>,
    written: &mut BTreeMap<String, String>,
) -> Result<(), StoreError> {
    for path in written.keys().filter(|path| !entries.contains_key(*path)) {
        store.remove(path)?;
    }
    for (path, value) in entries {
        store.write(path, value)?;
    }
    written.clone_from(entries);
    // xapi watches this one, and reads the others when it changes.
    store.write("data/updated", "1")
}

#[cfg(test)]
mod tests {
    use super::super::tests::facts;
    use super::store::tests::Fake;
    use super::*;

    #[test]
    fn addresses_stand_under_the_number_of_their_interface() {
        let entries = entries(&facts(), &|card| (card == "eth0").then_some(3));
        assert_eq!(entries.get("attr/vif/3/ipv4/0").map(String::as_str), Some("192.0.2.10"));
        assert_eq!(entries.get("attr/vif/3/ipv6/0").map(String::as_str), Some("2001:db8::10"));
        assert_eq!(entries.keys().filter(|path| path.starts_with("attr/vif")).count(), 2);
    }

    #[test]
    fn an_address_that_went_is_removed() {
        let mut store = Store::new(Fake::default());
        let mut written = BTreeMap::new();
        write(&mut store, &entries(&facts(), &|_| Some(0)), &mut written).unwrap();
        assert!(store.io().entries.contains_key("attr/vif/0/ipv4/0"));
        write(&mut store, &entries(&Facts::default(), &|_| Some(0)), &mut written).unwrap();
        assert!(!store.io().entries.contains_key("attr/vif/0/ipv4/0"));
        assert!(store.io().entries.contains_key("data/updated"));
    }
}
