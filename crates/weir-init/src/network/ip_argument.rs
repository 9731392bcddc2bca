//! The kernel command line's `ip=`, which Debian's kernel leaves to user space.
//!
//! Both forms of the kernel's `Documentation/admin-guide/nfs/nfsroot.rst`,
//! `CLIENT:PEER:GATEWAY:MASK:HOST:DEVICE:AUTOCONF:DNS:DNS:NTP` and a lone `AUTOCONF`, and dracut's `DEVICE:AUTOCONF`.
//! IPv6 addresses stand in brackets. The one place where a card is given by the kernel's name: it is turned into its
//! hardware address here, at once, while it means what the user saw.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use weir_config::model::{Interface, InterfaceMatch, MacAddress, Name};

/// What the interface is called where the argument names no device.
const NAME_DEFAULT: &str = "ip";

/// What one `ip=` said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpArgument {
    /// None (`ip=off`) or one. Without a device the match is empty, which means the first card.
    pub interfaces: Vec<Interface>,
    /// What the machine is to be called.
    pub hostname: Option<String>,
    /// Whom to ask for names.
    pub name_servers: Vec<IpAddr>,
    /// Whom to ask for the time.
    pub time_servers: Vec<IpAddr>,
}

/// What is wrong with an `ip=`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpArgumentError {
    /// A field that is to be an address.
    #[error("ip=: the {field} `{text}` is not an IP address (an IPv6 address stands in brackets)")]
    Address {
        /// Which.
        field: &'static str,
        /// What stands there.
        text: String,
    },
    /// The mask.
    #[error("ip=: the netmask `{0}` is neither a mask like 255.255.255.0 nor a length like 24")]
    Mask(String),
    /// An address without its mask: the classes that once gave one are history.
    #[error("ip=: the address `{0}` needs a netmask in the fourth field")]
    NoMask(IpAddr),
    /// The device.
    #[error("ip=: there is no network card `{0}`; leave the device empty for the first card")]
    Device(String),
    /// How the address is found.
    #[error("ip=: `{0}` is no way to get an address; use dhcp, auto6, none or leave it empty")]
    Autoconf(String),
    /// An opening bracket alone.
    #[error("ip=: `{0}` has a `[` without its `]`")]
    Bracket(String),
    /// Too much of it.
    #[error("ip=: `{0}` has more than {FIELDS_MAX} fields")]
    Fields(String),
    /// A gateway of the other family.
    #[error("ip=: the gateway {0} can't be reached from {1}: one is IPv4, the other IPv6")]
    Family(IpAddr, IpAddr),
}

/// The fields of the long form.
const FIELDS_MAX: usize = 10;

/// Reads what stands after `ip=`.
///
/// # Errors
/// Says which field is wrong and what it should be.
pub fn parse(text: &str) -> Result<IpArgument, IpArgumentError> {
    parse_with(text, hardware_address)
}

/// The same, where `hardware_address` knows the cards.
fn parse_with(
    text: &str,
    hardware_address: impl Fn(&str) -> Option<MacAddress>,
) -> Result<IpArgument, IpArgumentError> {
    let text = text.trim();
    let fields = split(text)?;
    if fields.len() > FIELDS_MAX {
        return Err(IpArgumentError::Fields(text.to_owned()));
    }
    let matched = |device: &str| match device {
        "" => Ok(InterfaceMatch::default()),
        device => match hardware_address(device) {
            Some(mac) => Ok(InterfaceMatch { mac: Some(mac), ..InterfaceMatch::default() }),
            None => Err(IpArgumentError::Device(device.to_owned())),
        },
    };
    match fields.as_slice() {
        [how] if how.parse::<IpAddr>().is_err() => automatic("", InterfaceMatch::default(), how),
        [device, how] if how.parse::<IpAddr>().is_err() => automatic(device, matched(device)?, how),
        fields => {
            let field = |at: usize| fields.get(at).copied().unwrap_or_default();
            whole(field, matched(field(5))?)
        }
    }
}

/// At colons outside of brackets; the brackets go.
fn split(text: &str) -> Result<Vec<&str>, IpArgumentError> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(|| IpArgumentError::Bracket(text.to_owned()))?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        fields.push(field);
        match after.strip_prefix(':') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(fields),
            None => return Err(IpArgumentError::Bracket(text.to_owned())),
        }
    }
}

/// What an AUTOCONF asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Autoconf {
    Nothing,
    Dhcp,
    /// Router advertisements alone.
    Slaac,
}

impl Autoconf {
    /// The kernel's words and dracut's; BOOTP and RARP are DHCP's forerunners, and their servers speak it.
    const WORDS: &[(&str, Self)] = &[
        ("dhcp", Self::Dhcp),
        ("on", Self::Dhcp),
        ("any", Self::Dhcp),
        ("both", Self::Dhcp),
        ("bootp", Self::Dhcp),
        ("rarp", Self::Dhcp),
        ("auto6", Self::Slaac),
        ("off", Self::Nothing),
        ("none", Self::Nothing),
        ("static", Self::Nothing),
    ];

    fn from_word(word: &str) -> Result<Self, IpArgumentError> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, means)| *means).ok_or_else(|| IpArgumentError::Autoconf(word.to_owned()))
    }
}

fn automatic(device: &str, matches: InterfaceMatch, how: &str) -> Result<IpArgument, IpArgumentError> {
    let dhcp = match Autoconf::from_word(how)? {
        Autoconf::Nothing => return Ok(IpArgument::default()),
        Autoconf::Dhcp => true,
        Autoconf::Slaac => false,
    };
    Ok(IpArgument { interfaces: vec![Interface { dhcp, ..bare(device, matches) }], ..IpArgument::default() })
}

fn whole<'a>(
    field: impl Fn(usize) -> &'a str,
    matches: InterfaceMatch,
) -> Result<IpArgument, IpArgumentError> {
    let client = address("client's address", field(0))?;
    let gateway = address("gateway", field(2))?;
    let hostname = Some(field(4)).filter(|name| !name.is_empty()).map(str::to_owned);
    let autoconf = match (field(6), client) {
        ("", Some(_)) => Autoconf::Nothing,
        ("", None) => Autoconf::Dhcp,
        (word, _) => Autoconf::from_word(word)?,
    };
    let mut interface = bare(field(5), matches);
    interface.dhcp = autoconf == Autoconf::Dhcp;
    if let Some(client) = client {
        interface.addresses.push(network(client, field(3))?);
    }
    if let Some(gateway) = gateway {
        if let Some(client) = client.filter(|client| client.is_ipv4() != gateway.is_ipv4()) {
            return Err(IpArgumentError::Family(gateway, client));
        }
        interface.gateways.push(gateway);
    }
    let name_servers = [address("name server", field(7))?, address("name server", field(8))?];
    let time_server = address("time server", field(9))?;
    let nothing = client.is_none() && autoconf == Autoconf::Nothing;
    Ok(IpArgument {
        interfaces: if nothing { Vec::new() } else { vec![interface] },
        hostname,
        name_servers: name_servers.into_iter().flatten().collect(),
        time_servers: time_server.into_iter().collect(),
    })
}

fn bare(device: &str, matches: InterfaceMatch) -> Interface {
    let name: Name = if device.is_empty() { Arc::from(NAME_DEFAULT) } else { Arc::from(device) };
    Interface {
        name,
        matches,
        dhcp: false,
        slaac: true,
        addresses: Vec::new(),
        gateways: Vec::new(),
        routes: Vec::new(),
        mtu: None,
    }
}

/// The kernel takes an unspecified address for an empty field.
fn address(field: &'static str, text: &str) -> Result<Option<IpAddr>, IpArgumentError> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => Ok(None),
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(IpArgumentError::Address { field, text: text.to_owned() }),
    }
}

fn network(address: IpAddr, mask: &str) -> Result<IpNet, IpArgumentError> {
    let wrong = || IpArgumentError::Mask(mask.to_owned());
    if mask.is_empty() {
        return Err(IpArgumentError::NoMask(address));
    }
    if let Ok(length) = mask.parse::<u8>() {
        return IpNet::new(address, length).map_err(|_| wrong());
    }
    let mask = mask.parse::<IpAddr>().map_err(|_| wrong())?;
    IpNet::with_netmask(address, mask).map_err(|_| wrong())
}

/// Of a card by the kernel's name now.
fn hardware_address(device: &str) -> Option<MacAddress> {
    if device.contains('/') || device == ".." {
        return None;
    }
    let text = std::fs::read_to_string(format!("/sys/class/net/{device}/address")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn read(text: &str) -> Result<IpArgument, IpArgumentError> {
        parse_with(text, |device| (device == "eth0").then_some(MAC))
    }

    fn only(text: &str) -> Interface {
        let argument = read(text).unwrap();
        let [interface] = argument.interfaces.as_slice() else { panic!("{argument:?}") };
        interface.clone()
    }

    #[test]
    fn everything_given_is_taken() {
        let argument =
            read("192.0.2.10::192.0.2.1:255.255.255.0:lb1:eth0:none:192.0.2.53:192.0.2.54:192.0.2.123")
                .unwrap();
        let [interface] = argument.interfaces.as_slice() else { panic!("{argument:?}") };
        assert_eq!(&*interface.name, "eth0");
        assert_eq!(interface.matches.mac, Some(MAC));
        assert_eq!(interface.addresses, ["192.0.2.10/24".parse().unwrap()]);
        assert_eq!(interface.gateways, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert!(!interface.dhcp && interface.slaac);
        assert_eq!(argument.hostname.as_deref(), Some("lb1"));
        assert_eq!(argument.name_servers.len(), 2);
        assert_eq!(argument.time_servers, ["192.0.2.123".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn dhcp_alone_is_the_first_card() {
        let interface = only("dhcp");
        assert!(interface.dhcp);
        assert_eq!(interface.matches, InterfaceMatch::default());
        assert_eq!(&*interface.name, NAME_DEFAULT);
    }

    #[test]
    fn dracuts_device_and_word() {
        let interface = only("eth0:dhcp");
        assert!(interface.dhcp);
        assert_eq!(interface.matches.mac, Some(MAC));
        assert!(!only("eth0:auto6").dhcp);
    }

    #[test]
    fn no_client_and_no_word_is_dhcp_as_in_the_kernel() {
        assert!(only(":::::eth0").dhcp);
        assert!(only("::::lb1::dhcp").dhcp);
    }

    #[test]
    fn off_and_none_are_no_interface() {
        assert_eq!(read("off"), Ok(IpArgument::default()));
        assert_eq!(read("none"), Ok(IpArgument::default()));
        assert!(read("::::lb1::off").unwrap().interfaces.is_empty());
    }

    #[test]
    fn ipv6_stands_in_brackets() {
        let interface = only("[2001:db8::5]::[2001:db8::1]:64::eth0:none");
        assert_eq!(interface.addresses, ["2001:db8::5/64".parse().unwrap()]);
        assert_eq!(interface.gateways, ["2001:db8::1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("192.0.2.300:::24::eth0:none", "192.0.2.300"),
            ("192.0.2.3:::255.0.255.0::eth0:none", "255.0.255.0"),
            ("192.0.2.3:::33::eth0:none", "33"),
            ("192.0.2.3::::host:eth0:none", "needs a netmask"),
            ("192.0.2.3:::24::eth7:none", "eth7"),
            ("192.0.2.3:::24::eth0:magic", "magic"),
            ("[2001:db8::5:::64", "without its"),
            ("[2001:db8::5]x:::64", "without its"),
            ("dhcp6", "dhcp6"),
            ("1:2:3:4:5:6:7:8:9:10:11", "more than"),
            ("192.0.2.3::[2001:db8::1]:24::eth0:none", "IPv6"),
            ("2001:db8::5:::64::eth0:none", "not an IP address"),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
