//! Addresses: where to listen, where servers are, networks, and the host names of requests.
//!
//! Names are checked for their syntax only; nothing is resolved here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::{Numbers, Problem, Text, shortened};
use crate::model::{Host, HostPattern, ServerAddress};

/// An address to listen on; port 0 lets the system choose.
pub(crate) const BIND: Text<SocketAddr> = Text {
    what: "an address and a port such as `127.0.0.1:8080`",
    pattern: Some(r"^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"),
    numbers: Numbers::Explained,
    parse: parse_bind,
    print: ToString::to_string,
};

fn parse_bind(text: &str) -> Result<SocketAddr, Problem> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let problem = Problem::new(format!("`{}` is not an address and a port", shortened(text)));
    let any_port = text.strip_prefix("*:").or(text.strip_prefix(':')).unwrap_or(text);
    if any_port.parse::<u16>().is_ok() {
        let hint = format!("did you mean `0.0.0.0:{any_port}` (everywhere) or `127.0.0.1:{any_port}`?");
        return Err(problem.hint(hint));
    }
    Err(match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => problem.hint(format!("add a port: `{ip}:8080`")),
        Ok(IpAddr::V6(ip)) => problem.hint(format!("add a port: `[{ip}]:8080`")),
        Err(_) if split_port(text).is_some_and(|(host, _)| host_name(host).is_ok()) => {
            problem.hint("a listener binds an IP address, not a name")
        }
        Err(_) => problem.hint("write it like `0.0.0.0:8080` or `[::]:8080`"),
    })
}

/// Where a name server is.
pub(crate) const RESOLVER: Text<SocketAddr> = Text {
    what: "an IP address, with a port unless it is 53",
    pattern: Some(r"^[0-9A-Fa-f:.\[\]]+$"),
    numbers: Numbers::Explained,
    parse: |text| {
        let address = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::from((ip, 53))));
        match address.ok().filter(|address| address.port() != 0) {
            Some(address) => Ok(address),
            None => Err(Problem::new(format!("`{}` is not an IP address", shortened(text)))
                .hint("write it like `192.0.2.53` or `192.0.2.53:5353`; a name server has no name")),
        }
    },
    print: ToString::to_string,
};

/// A server's address, and how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerText {
    pub(crate) address: ServerAddress,
    pub(crate) written: String,
}

/// Where a server is.
pub(crate) const SERVER_ADDRESS: Text<ServerText> = Text {
    what: "an address and a port such as `10.0.0.1:8080` or `app.internal:8080`",
    pattern: Some(r"^([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"),
    numbers: Numbers::Explained,
    parse: |text| Ok(ServerText { address: parse_server(text)?, written: text.into() }),
    print: |server| server.written.clone(),
};

fn parse_server(text: &str) -> Result<ServerAddress, Problem> {
    let short = shortened(text);
    if let Some((_, rest)) = text.split_once("://") {
        let rest = shortened(rest.split('/').next().unwrap_or(rest));
        let problem = Problem::new(format!("`{short}` is a URL; a server is an address and a port"));
        return Err(problem.hint(format!("did you mean `{rest}`?")));
    }
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Err(Problem::new(format!("`{short}` has no port")).hint(format!("did you mean `[{ip}]:80`?")));
    }
    let Some((host, port)) = split_port(text) else {
        return Err(match text.parse::<u16>() {
            Ok(port) => Problem::new(format!("`{short}` is a port without an address"))
                .hint(format!("did you mean `127.0.0.1:{port}`?")),
            Err(_) => {
                Problem::new(format!("`{short}` has no port")).hint(format!("did you mean `{short}:80`?"))
            }
        });
    };
    let Some(number) = port.parse::<u16>().ok().filter(|&number| number != 0) else {
        return Err(Problem::new(format!("`{}` is not a port", shortened(port))).hint("ports are 1 to 65535"));
    };
    Ok(ServerAddress { host: parse_host(host)?, port: number })
}

fn parse_host(host: &str) -> Result<Host, Problem> {
    let bad = || Problem::new(format!("`{}` is not an IP address", shortened(host)));
    if let Some(inner) = host.strip_prefix('[') {
        let ip = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return ip.map(|ip| Host::Ip(ip.into())).ok_or_else(bad);
    }
    if host.contains(':') {
        return Err(bad().hint("an IPv6 address stands in brackets: `[2001:db8::1]:80`"));
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(ip.into()));
    }
    host_name(host).map(Host::Name)
}

/// Host and port of `host:port`.
fn split_port(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(_, port)| !port.contains(']'))
}

/// A host name in lower case without a final dot.
pub(super) fn host_name(text: &str) -> Result<String, Problem> {
    const CHARS_MAX: usize = 253;
    const LABEL_CHARS_MAX: usize = 63;
    let short = shortened(text);
    let wrong = Problem::new(format!("`{short}` is not a host name"));
    let name = text.strip_suffix('.').unwrap_or(text);
    if !name.is_ascii() {
        return Err(wrong.hint("write it in its ASCII form, `xn--...`"));
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if let Some(wrong_char) = name.bytes().find(|&byte| !known(byte) && byte != b'.') {
        return Err(wrong.hint(format!("`{}` cannot stand in one", char::from(wrong_char).escape_debug())));
    }
    let label_is_good = |label: &str| {
        (1..=LABEL_CHARS_MAX).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > CHARS_MAX || !name.split('.').all(label_is_good) {
        return Err(wrong.hint("its parts have 1 to 63 characters and don't begin or end with `-`"));
    }
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Problem::new(format!("`{short}` is neither an IP address nor a host name")));
    }
    Ok(name.to_ascii_lowercase())
}

/// A host to send a client to: a name, or an IP address (IPv6 in brackets).
pub(crate) const HOST_NAME: Text<String> = Text {
    what: "a host name",
    pattern: Some(r"^([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])$"),
    numbers: Numbers::Explained,
    parse: |text| exact_host(text),
    print: String::clone,
};

/// The hosts of requests: a name, an IP address, or `*.` and a name.
pub(crate) const HOST_PATTERN: Text<HostPattern> = Text {
    what: "a host name or `*.` and a host name",
    pattern: Some(r"^((\*\.)?[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])$"),
    numbers: Numbers::Explained,
    parse: parse_host_pattern,
    print: |pattern| match pattern {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Wildcard(suffix) => format!("*{suffix}"),
    },
};

fn parse_host_pattern(text: &str) -> Result<HostPattern, Problem> {
    if text == "*" {
        return Err(Problem::new("`*` is not a host name").hint("leave `host` out to match every host"));
    }
    if let Some(name) = text.strip_prefix("*.") {
        return host_name(name).map(|name| HostPattern::Wildcard(format!(".{name}")));
    }
    if text.contains('*') {
        let problem = Problem::new(format!("`{}` is not a host name", shortened(text)));
        return Err(problem.hint("`*` stands at the beginning, for whole parts: `*.example.com`"));
    }
    exact_host(text).map(HostPattern::Exact)
}

pub(super) fn exact_host(text: &str) -> Result<String, Problem> {
    let problem = || Problem::new(format!("`{}` is not a host name", shortened(text)));
    if let Some((_, rest)) = text.split_once("://") {
        let host = shortened(rest.split(['/', ':']).next().unwrap_or(rest));
        return Err(problem().hint(format!("leave the scheme out: `{host}`")));
    }
    match parse_host(text) {
        Ok(Host::Ip(IpAddr::V6(ip))) => Ok(format!("[{ip}]")),
        Ok(Host::Ip(IpAddr::V4(ip))) => Ok(ip.to_string()),
        Ok(Host::Name(name)) => Ok(name),
        Err(other) => Err(match split_port(text) {
            Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => {
                problem().hint(format!("a host is given without a port: `{}`", shortened(host)))
            }
            Some(_) | None if text.contains('/') => {
                problem().hint("paths are matched by `path` or `path_prefix`")
            }
            Some(_) | None => other,
        }),
    }
}

/// A network, or one address.
pub(crate) const NET: Text<IpNet> = Text {
    what: "a network such as `10.0.0.0/8`, or an IP address",
    pattern: Some(r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"),
    numbers: Numbers::Explained,
    parse: |text| {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(ip.into());
        }
        let Ok(net) = text.parse::<IpNet>() else {
            let problem = Problem::new(format!("`{}` is neither a network nor an address", shortened(text)));
            return Err(problem.hint("write it like `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.1`"));
        };
        if net != net.trunc() {
            let problem = Problem::new(format!("`{text}` has bits set after its prefix"));
            return Err(problem.hint(format!("did you mean `{}` or `{}`?", net.trunc(), net.addr())));
        }
        Ok(net)
    },
    print: ToString::to_string,
};
