//! What is said of a machine: its name, its cards, their addresses, whom it asks for names and the time.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::address::{exact_host, host_name};
use super::{Numbers, Problem, Text, shortened};
use crate::model::MacAddress;

/// What the machine calls itself.
pub(crate) const HOSTNAME: Text<Arc<str>> = Text {
    what: "a host name of at most 64 characters",
    pattern: Some(r"^[0-9A-Za-z.-]{1,64}$"),
    numbers: Numbers::Refused,
    parse: parse_hostname,
    print: ToString::to_string,
};

fn parse_hostname(text: &str) -> Result<Arc<str>, Problem> {
    const BYTES_MAX: usize = 64; // __NEW_UTS_LEN of Linux
    let name = host_name(text)?;
    if name.contains('_') {
        let problem = Problem::new(format!("`{}` is not a host name", shortened(text)));
        return Err(problem.hint("a machine's name is made of letters, digits, `-` and `.` (RFC 1123)"));
    }
    match name.len() {
        0..=BYTES_MAX => Ok(name.into()),
        length => Err(Problem::new(format!("the name has {length} characters; the most is {BYTES_MAX}"))),
    }
}

/// The hardware address of a card.
pub(crate) const MAC: Text<MacAddress> = Text {
    what: "a hardware address such as `52:54:00:12:34:56`",
    pattern: Some(r"^[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){5}$"),
    // Hyper-V writes `00155D012345`, which YAML may take for a number.
    numbers: Numbers::Taken { min: 0, max: 999_999_999_999 },
    parse: parse_mac,
    print: ToString::to_string,
};

fn parse_mac(text: &str) -> Result<MacAddress, Problem> {
    let wrong = || {
        Problem::new(format!("`{}` is not a hardware address", shortened(text)))
            .hint("write it like `52:54:00:12:34:56`")
    };
    let MacAddress(bytes) = text.parse().map_err(|_| wrong())?;
    if bytes == [0; 6] || bytes[0] & 1 == 1 {
        let problem = Problem::new(format!("`{}` is no card's address", shortened(text)));
        return Err(problem.hint("it is all zero, or stands for a group of cards"));
    }
    Ok(MacAddress(bytes))
}

/// A place on a bus, or the name of a driver.
pub(crate) const DEVICE: Text<Arc<str>> = Text {
    what: "a name as it stands below `/sys/bus`",
    pattern: Some(r"^[0-9A-Za-z._:-]{1,64}$"),
    numbers: Numbers::Explained,
    parse: |text| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(known) {
            return Ok(text.into());
        }
        let problem = Problem::new(format!("`{}` is not the name of a device or a driver", shortened(text)));
        Err(problem.hint("such as `0000:00:03.0` or `virtio_net`; `GET /api/v1/system` lists them"))
    },
    print: ToString::to_string,
};

/// An address of somebody.
pub(crate) const IP: Text<IpAddr> = Text {
    what: "an IP address",
    pattern: Some(r"^[0-9A-Fa-f:.]+$"),
    numbers: Numbers::Explained,
    parse: |text| {
        let Ok(ip) = text.parse::<IpAddr>() else {
            let problem = Problem::new(format!("`{}` is not an IP address", shortened(text)));
            return Err(problem.hint("write it like `192.0.2.1` or `2001:db8::1`"));
        };
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(Problem::new(format!("`{ip}` is nobody's address")));
        }
        Ok(ip)
    },
    print: ToString::to_string,
};

/// An address of a card, with the length of its network's prefix.
pub(crate) const INTERFACE_ADDRESS: Text<IpNet> = Text {
    what: "an address with the length of its prefix, such as `192.0.2.10/24`",
    pattern: Some(r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$"),
    numbers: Numbers::Explained,
    parse: parse_interface_address,
    print: ToString::to_string,
};

fn parse_interface_address(text: &str) -> Result<IpNet, Problem> {
    let short = shortened(text);
    if let Ok(ip) = text.parse::<IpAddr>() {
        let example = if ip.is_ipv4() { 24 } else { 64 };
        let problem = Problem::new(format!("`{short}` has no length of its prefix"));
        return Err(problem.hint(format!("did you mean `{ip}/{example}`?")));
    }
    let Ok(net) = text.parse::<IpNet>() else {
        let problem = Problem::new(format!("`{short}` is not an address with the length of its prefix"));
        let hint = match text.split_once('/') {
            Some((_, mask)) if mask.contains('.') => {
                "a mask is written as its length: 255.255.255.0 is `/24`"
            }
            Some(_) | None => "write it like `192.0.2.10/24` or `2001:db8::10/64`",
        };
        return Err(problem.hint(hint));
    };
    let ip = net.addr();
    if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || net.prefix_len() == 0 {
        return Err(Problem::new(format!("`{short}` is no address of a card")));
    }
    // Without hosts of their own in a network there is none to tell from its name (RFC 3021, RFC 6164).
    if net.max_prefix_len() - net.prefix_len() > 1 {
        let is_broadcast = net.addr().is_ipv4() && ip == net.broadcast();
        if ip == net.network() || is_broadcast {
            let what =
                if is_broadcast { "reaches everybody in its network" } else { "is the network itself" };
            let problem = Problem::new(format!("`{short}` {what}"));
            return Err(problem.hint("give the address of the machine in it"));
        }
    }
    Ok(net)
}

/// Who tells the time.
pub(crate) const TIME_SERVER: Text<Arc<str>> = Text {
    what: "a host name or an IP address",
    pattern: Some(r"^[0-9A-Za-z._:-]+$"),
    numbers: Numbers::Explained,
    parse: |text| match text.parse::<IpAddr>() {
        Ok(_) => (IP.parse)(text).map(|ip| ip.to_string().into()),
        Err(_) => exact_host(text).map(Into::into),
    },
    print: ToString::to_string,
};
