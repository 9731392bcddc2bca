//! Network cards: what each is, where it is on its bus, who drives it, and what it has been given.

use std::path::Path;

use serde::Serialize;
use weir_config::model::bus_path;

use super::addresses::Addresses;
use super::tree::Tree;

/// A network card, or what looks like one to the kernel.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Interface {
    /// The kernel's name, which may change when a card is added.
    pub(crate) name: String,
    /// Its place on the bus, as `match: { path: … }` takes it; null for what is no device.
    pub(crate) path: Option<String>,
    /// As `match: { driver: … }` takes it; for what is no device, its kind: `veth`, `bridge`, `vlan`, `tun`.
    pub(crate) driver: Option<String>,
    /// The module that the driver is in: `xen_netfront` of the driver `vif`.
    pub(crate) module: Option<String>,
    pub(crate) mac: Option<String>,
    pub(crate) mtu: Option<u32>,
    /// Whether it is switched on and its cable, real or virtual, is in.
    pub(crate) up: bool,
    /// Megabits a second, where the card says.
    pub(crate) speed_mbps: Option<u32>,
    pub(crate) rx_queues: usize,
    pub(crate) tx_queues: usize,
    /// What is on of what its driver can take over, by ethtool's names; null where the kernel does not tell.
    pub(crate) offloads: Option<Vec<String>>,
    /// With the length of their prefix.
    pub(crate) addresses: Vec<String>,
}

/// Every card but the loopback one, as the firmware counted them, then what is no device.
pub(super) fn all(
    tree: &Tree,
    addresses: &Addresses,
    offloads: impl Fn(&str) -> Option<Vec<String>>,
) -> Vec<Interface> {
    let names = tree.folders("sys/class/net").into_iter().filter(|name| name != "lo");
    let mut all: Vec<_> = names
        .map(|name| {
            let device = tree.resolve(format!("sys/class/net/{name}/device"));
            let whole = device.as_deref().map(|device| device.to_string_lossy().into_owned());
            (
                (whole.is_none(), whole),
                Interface { offloads: offloads(&name), ..one(tree, &name, device.as_deref(), addresses) },
            )
        })
        .collect();
    all.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
    all.into_iter().map(|(_, interface)| interface).collect()
}

fn one(tree: &Tree, name: &str, device: Option<&Path>, addresses: &Addresses) -> Interface {
    let at = |file: &str| format!("sys/class/net/{name}/{file}");
    let driver = match device {
        Some(_) => tree.link_name(at("device/driver")),
        None => kind(tree, name).map(str::to_owned),
    };
    let queues = tree.folders(at("queues"));
    let count = |direction: &str| queues.iter().filter(|queue| queue.starts_with(direction)).count();
    Interface {
        name: name.to_owned(),
        path: device.and_then(bus_path).map(str::to_owned),
        driver,
        module: tree.link_name(at("device/driver/module")),
        mac: tree.text(at("address")).filter(|mac| mac.len() == 17),
        mtu: tree.number(at("mtu")),
        up: tree.number::<u8>(at("carrier")) == Some(1),
        speed_mbps: tree.number::<u32>(at("speed")), // -1 where nobody knows
        rx_queues: count("rx-"),
        tx_queues: count("tx-"),
        offloads: None,
        addresses: of(addresses, name),
    }
}

fn of(addresses: &Addresses, name: &str) -> Vec<String> {
    let own = addresses.iter().filter(|(owner, _)| owner == name);
    own.map(|(_, address)| address.clone()).collect()
}

/// What the kernel made that is no device.
fn kind(tree: &Tree, name: &str) -> Option<&'static str> {
    let at = |file: &str| format!("sys/class/net/{name}/{file}");
    if tree.exists(at("tun_flags")) {
        return Some("tun");
    }
    let uevent = tree.text(at("uevent")).unwrap_or_default();
    match uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE=")) {
        Some("bridge") => return Some("bridge"),
        Some("bond") => return Some("bond"),
        Some("vlan") => return Some("vlan"),
        Some("vxlan") => return Some("vxlan"),
        Some(_) | None => {}
    }
    // One end of a pair knows the number of the other.
    let (own, peer) = (tree.number::<u32>(at("ifindex")), tree.number::<u32>(at("iflink")));
    (own.is_some() && own != peer).then_some("veth")
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::Machine;
    use super::*;

    const VIRTIO: &str = "sys/devices/pci0000:00/0000:00:03.0/virtio0";

    /// A card `name` that is the device at `device` with this driver in this module.
    fn card(machine: &Machine, name: &str, device: &str, driver: &str, module: &str) {
        let net = format!("{device}/net/{name}");
        machine
            .link(&format!("sys/class/net/{name}"), &net)
            .link(&format!("{net}/device"), device)
            .link(&format!("{device}/driver"), &format!("sys/bus/some/drivers/{driver}"))
            .link(&format!("sys/bus/some/drivers/{driver}/module"), &format!("sys/module/{module}"))
            .file(&format!("{net}/address"), "52:54:00:12:34:56\n")
            .file(&format!("{net}/mtu"), "1500\n")
            .file(&format!("{net}/speed"), "-1\n");
    }

    #[test]
    fn a_card_with_all_that_it_has() {
        let machine = Machine::new();
        card(&machine, "eth0", VIRTIO, "virtio_net", "virtio_net");
        let net = format!("{VIRTIO}/net/eth0");
        machine.file(&format!("{net}/carrier"), "1\n");
        for queue in ["rx-0", "rx-1", "tx-0", "tx-1"] {
            machine.folder(&format!("{net}/queues/{queue}"));
        }
        let addresses = vec![("eth0".into(), "10.0.2.15/24".into()), ("eth1".into(), "192.0.2.1/24".into())];
        let expected = Interface {
            name: "eth0".into(),
            path: Some("0000:00:03.0".into()),
            driver: Some("virtio_net".into()),
            module: Some("virtio_net".into()),
            mac: Some("52:54:00:12:34:56".into()),
            mtu: Some(1500),
            up: true,
            speed_mbps: None,
            rx_queues: 2,
            tx_queues: 2,
            offloads: Some(vec!["rx-gro".into()]),
            addresses: vec!["10.0.2.15/24".into()],
        };
        assert_eq!(all(&machine.0, &addresses, |_| Some(vec!["rx-gro".into()])), [expected]);
    }

    #[test]
    fn cards_stand_in_the_order_of_the_bus_and_kinds_of_links_after_them() {
        let machine = Machine::new();
        card(&machine, "eth0", "sys/devices/vif-0", "vif", "xen_netfront");
        card(&machine, "eth1", "sys/devices/pci0000:00/0000:00:02.0", "e1000", "e1000");
        machine.folder("sys/devices/virtual/net/lo").link("sys/class/net/lo", "sys/devices/virtual/net/lo");
        for (name, files) in [
            ("br0", &[("uevent", "DEVTYPE=bridge\nINTERFACE=br0\n"), ("ifindex", "4"), ("iflink", "4")][..]),
            ("tap0", &[("tun_flags", "0x1002")]),
            ("v0", &[("uevent", "INTERFACE=v0\n"), ("ifindex", "6"), ("iflink", "5")]),
            ("dummy0", &[("ifindex", "7"), ("iflink", "7")]),
        ] {
            let at = format!("sys/devices/virtual/net/{name}");
            machine.link(&format!("sys/class/net/{name}"), &at);
            for (file, content) in files {
                machine.file(&format!("{at}/{file}"), content);
            }
        }
        machine.file("sys/class/net/bonding_masters", "");
        let all = all(&machine.0, &Vec::new(), |_| None);
        let told: Vec<_> = all
            .iter()
            .map(|one| (one.name.as_str(), one.path.as_deref(), one.driver.as_deref(), one.module.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("eth1", Some("0000:00:02.0"), Some("e1000"), Some("e1000")),
                ("eth0", Some("vif-0"), Some("vif"), Some("xen_netfront")),
                ("br0", None, Some("bridge"), None),
                ("dummy0", None, None, None),
                ("tap0", None, Some("tun"), None),
                ("v0", None, Some("veth"), None),
            ]
        );
    }
}
