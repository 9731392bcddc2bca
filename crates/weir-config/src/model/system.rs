//! `system:`: what the appliance is beside a load balancer. Only process 1 of the appliance (`weir init`) acts on
//! it; elsewhere it is checked and otherwise ignored, since a host has an owner of its own for these things.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::Name;

/// The settings of the machine itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// What the machine calls itself. Default: what DHCP or the first-boot data say, else `weir`.
    pub hostname: Option<Arc<str>>,
    /// In the order of the file; names are unique. Default empty: DHCPv4 and SLAAC on every card.
    pub interfaces: Vec<Interface>,
    /// Whom to ask for names, before those that DHCP and router advertisements name. Default empty.
    pub name_servers: Vec<IpAddr>,
    /// The clock.
    pub time: Time,
}

/// One network card, and what it is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The operator's own name for it; the kernel's name (`eth0`) plays no part, as it changes when a card is added.
    pub name: Name,
    /// Which card: everything that is given must hold; at least one is given. The first card that fits is taken.
    pub matches: InterfaceMatch,
    /// Whether DHCPv4 is asked. Default: yes where `addresses` has no IPv4 address.
    pub dhcp: bool,
    /// Whether addresses of router advertisements are taken (SLAAC). Default: yes.
    pub slaac: bool,
    /// Static addresses with the length of their network's prefix. Default empty.
    pub addresses: Vec<IpNet>,
    /// Default routers, at most one of each family. Default empty.
    pub gateways: Vec<IpAddr>,
    /// Further routes. Default empty.
    pub routes: Vec<InterfaceRoute>,
    /// Bytes of the largest packet, 576 to 9216. Default: the card's own, or what DHCP says.
    pub mtu: Option<u16>,
}

/// Which card is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct InterfaceMatch {
    /// Its hardware address.
    pub mac: Option<MacAddress>,
    /// Its place on the bus, as `/sys/bus/pci/devices` writes it: `0000:00:03.0`; on Xen and Hyper-V the device's name.
    pub path: Option<Arc<str>>,
    /// Its driver, such as `virtio_net` or `vmxnet3`.
    pub driver: Option<Arc<str>>,
}

/// A hardware address of Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// A route that is not the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceRoute {
    /// Where to.
    pub to: IpNet,
    /// By which router, of the same family.
    pub via: IpAddr,
}

/// How the clock is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// NTP servers, names or addresses. Default: those that DHCP names, else `pool.ntp.org`.
    pub servers: Vec<Arc<str>>,
    /// How long the start waits for the clock to be set before it goes on without. Default 3 s. Where the machine's own
    /// clock shows 2026 or later, it does not wait.
    pub wait: Duration,
}

impl Default for Time {
    fn default() -> Self {
        Self { servers: Vec::new(), wait: Duration::from_secs(3) }
    }
}

/// A text is no [`MacAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hardware address such as `52:54:00:12:34:56`")]
pub struct NotAMacAddress;

/// As people and systems write it: six bytes in hexadecimal with `:`, `-` or nothing (Hyper-V) between them.
impl FromStr for MacAddress {
    type Err = NotAMacAddress;

    fn from_str(text: &str) -> Result<Self, NotAMacAddress> {
        let separator = text.chars().find(|&c| matches!(c, ':' | '-'));
        let digits: String = match separator {
            None => text.into(),
            Some(separator) if text.split(separator).all(|byte| byte.len() == 2) => {
                text.split(separator).collect()
            }
            Some(_) => return Err(NotAMacAddress),
        };
        if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAMacAddress);
        }
        let mut bytes = [0; 6];
        for (byte, digits) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NotAMacAddress)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAMacAddress)?;
        }
        Ok(Self(bytes))
    }
}

/// What [`InterfaceMatch::path`] is of the device at this place in `/sys/devices`: the last PCI address on the way to it,
/// since a virtio card is a device of its own below that of the bus. Else the device's own name: `vif-0` on Xen, a GUID on
/// Hyper-V, `virtio0` where there is no PCI.
pub fn bus_path(device: &Path) -> Option<&str> {
    let names = || device.iter().rev().filter_map(|name| name.to_str());
    names().find(|name| is_pci_address(name)).or_else(|| names().next())
}

/// `0000:00:03.0`, where the first number may be longer (Hyper-V's virtual functions).
fn is_pci_address(text: &str) -> bool {
    let hex = |text: &str, least: usize| text.len() >= least && text.bytes().all(|b| b.is_ascii_hexdigit());
    let pieces: Vec<_> = text.split(':').collect();
    let [domain, bus, rest] = pieces[..] else { return false };
    let Some((device, function)) = rest.split_once('.') else { return false };
    hex(domain, 4) && hex(bus, 2) && hex(device, 2) && hex(function, 1)
}

impl std::fmt::Display for MacAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_as_people_and_systems_write_them() {
        let known = MacAddress([0, 0x15, 0x5d, 1, 2, 0x0a]);
        for text in ["00:15:5d:01:02:0a", "00-15-5D-01-02-0A", "00155D01020A"] {
            assert_eq!(text.parse(), Ok(known), "{text}");
        }
        for text in [
            "",
            "0:15:5d:1:2:a",
            "00:15:5d:01:02",
            "00:15-5d:01:02:0a",
            "00:15:5d:01:02:0g",
            "00:15:5d:01:02:0a\n",
        ] {
            assert_eq!(text.parse::<MacAddress>(), Err(NotAMacAddress), "{text}");
        }
    }

    #[test]
    fn the_place_on_the_bus() {
        for (device, path) in [
            ("/sys/devices/pci0000:00/0000:00:03.0/virtio0", Some("0000:00:03.0")),
            ("/sys/devices/pci0000:00/0000:00:15.0/0000:03:00.0", Some("0000:03:00.0")),
            ("/sys/devices/vif-0", Some("vif-0")),
            (
                "/sys/devices/LNXSYSTM:00/VMBUS:00/1b2c3d4e-0000-1111-2222-333344445555",
                Some("1b2c3d4e-0000-1111-2222-333344445555"),
            ),
            ("/sys/devices/platform/LNRO0005:01/virtio1", Some("virtio1")),
            ("", None),
        ] {
            assert_eq!(bus_path(Path::new(device)), path);
        }
    }
}
