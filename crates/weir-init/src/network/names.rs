//! `resolv.conf`: who is asked for names, as whoever looks them up reads it.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use crate::files::{self, PUBLIC};

/// As many as resolvers read (resolv.conf(5), MAXNS).
pub(super) const SERVERS_MAX: usize = 3;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    servers: Vec<IpAddr>,
    search: Option<String>,
}

impl Names {
    /// The first of `servers`, each once. `search` is used where it is a name: it may be from the network.
    pub(super) fn new(servers: impl IntoIterator<Item = IpAddr>, search: Option<&str>) -> Self {
        let mut chosen = Vec::new();
        for server in servers {
            if chosen.len() < SERVERS_MAX && !chosen.contains(&server) && !server.is_unspecified() {
                chosen.push(server);
            }
        }
        Self { servers: chosen, search: search.filter(|name| is_host_name(name)).map(str::to_owned) }
    }

    pub(super) fn servers(&self) -> &[IpAddr] {
        &self.servers
    }

    fn text(&self) -> String {
        let mut text =
            "# Written by Weir from system.name_servers, DHCP and router advertisements.\n".to_owned();
        if let Some(search) = &self.search {
            let _ = writeln!(text, "search {search}");
        }
        for server in &self.servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        text
    }

    /// Writes the file, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        files::write(path, self.text().as_bytes(), PUBLIC)
    }
}

/// Whether `name` is a host name with or without dots (RFC 1123): what comes from a network ends up in files and on
/// the console.
pub(super) fn is_host_name(name: &str) -> bool {
    const NAME_BYTES_MAX: usize = 253;
    const LABEL_BYTES_MAX: usize = 63;
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(all: &[&str]) -> Vec<IpAddr> {
        all.iter().map(|server| server.parse().unwrap()).collect()
    }

    #[test]
    fn three_servers_each_once_in_their_order() {
        let names = Names::new(servers(&["192.0.2.2", "192.0.2.1", "192.0.2.2", "::1", "192.0.2.9"]), None);
        assert_eq!(names.servers(), servers(&["192.0.2.2", "192.0.2.1", "::1"]));
    }

    #[test]
    fn the_file_has_the_search_domain_and_the_servers() {
        let text = Names::new(servers(&["192.0.2.2"]), Some("example.com")).text();
        assert!(text.ends_with("search example.com\nnameserver 192.0.2.2\n"), "{text}");
    }

    #[test]
    fn what_a_network_says_is_written_only_if_it_is_a_name() {
        for name in ["example.com\nnameserver 192.0.2.66", "", "a..b", "-a", &"x".repeat(64), "a b"] {
            assert!(!is_host_name(name), "{name:?}");
            assert_eq!(Names::new(Vec::new(), Some(name)).search, None);
        }
        assert!(is_host_name("lb-1.example.com"));
    }
}
