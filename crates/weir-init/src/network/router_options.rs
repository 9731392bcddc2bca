//! What router advertisements say that the kernel passes on instead of acting on it: name servers (RDNSS, RFC 8106).

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::netlink::message::Message;

/// `ND_OPT_RDNSS`.
const RDNSS: u8 = 25;

/// How many name servers a card remembers; resolv.conf has room for as many.
const SERVERS_MAX: usize = 3;

/// nduseroptmsg, linux/rtnetlink.h.
const FIXED_BYTES: usize = 16;

/// The name servers that one advertisement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advertised {
    /// By which card it came.
    pub(super) index: u32,
    pub(super) servers: Vec<IpAddr>,
    /// For how long; zero takes them back.
    pub(super) lifetime: Duration,
}

impl Advertised {
    /// None: the message says something else.
    pub(super) fn read(message: &Message<'_>) -> Option<Self> {
        let index = message.router_option()?;
        let body = message.body_from(FIXED_BYTES);
        let eights = usize::from(*body.get(1)?);
        let option = body.get(..eights * 8)?;
        if *option.first()? != RDNSS || eights < 3 {
            return None;
        }
        let lifetime = u32::from_be_bytes(option.get(4..8)?.try_into().ok()?);
        let servers = option.get(8..)?.chunks_exact(16).filter_map(|octets| {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?);
            // A link-local one needs its card named with it, which resolv.conf's readers here don't know.
            (!address.is_unicast_link_local() && !address.is_multicast() && !address.is_unspecified())
                .then_some(IpAddr::V6(address))
        });
        Some(Self {
            index,
            servers: servers.take(SERVERS_MAX).collect(),
            lifetime: Duration::from_secs(lifetime.into()),
        })
    }
}

/// The name servers that a card has learned, each until its time is over.
#[derive(Debug, Default)]
pub(super) struct Learned(Vec<(IpAddr, Duration)>);

impl Learned {
    /// Takes what was advertised at `now`.
    pub(super) fn learn(&mut self, now: Duration, advertised: &Advertised) {
        for server in &advertised.servers {
            self.0.retain(|(known, _)| known != server);
            if !advertised.lifetime.is_zero() && self.0.len() < SERVERS_MAX {
                self.0.push((*server, now + advertised.lifetime));
            }
        }
        self.0.sort_unstable();
    }

    /// Those whose time is not over at `now`.
    pub(super) fn servers(&self, now: Duration) -> impl Iterator<Item = IpAddr> {
        self.0.iter().filter(move |(_, until)| *until > now).map(|(server, _)| *server)
    }

    /// When the next one's time is over.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.0.iter().map(|(_, until)| *until).min()
    }

    /// Forgets those whose time is over; whether there were any.
    pub(super) fn forget(&mut self, now: Duration) -> bool {
        let before = self.0.len();
        self.0.retain(|(_, until)| *until > now);
        before != self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(option: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 16 + FIXED_BYTES];
        bytes.extend_from_slice(option);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        bytes[4..6].copy_from_slice(&68_u16.to_ne_bytes());
        bytes[16] = 10;
        bytes[20..24].copy_from_slice(&7_u32.to_ne_bytes());
        bytes
    }

    fn rdnss(lifetime: u32, servers: &[&str]) -> Vec<u8> {
        let eights = u8::try_from(1 + 2 * servers.len()).unwrap();
        let mut option = vec![RDNSS, eights, 0, 0];
        option.extend(lifetime.to_be_bytes());
        for server in servers {
            option.extend(server.parse::<Ipv6Addr>().unwrap().octets());
        }
        option
    }

    fn read(option: &[u8]) -> Option<Advertised> {
        Advertised::read(&Message::all(&message(option)).next()?)
    }

    #[test]
    fn name_servers_are_read_without_link_local_ones() {
        let advertised = read(&rdnss(600, &["2001:db8::53", "fe80::1"])).unwrap();
        assert_eq!(advertised.index, 7);
        assert_eq!(advertised.servers, ["2001:db8::53".parse::<IpAddr>().unwrap()]);
        assert_eq!(advertised.lifetime, Duration::from_secs(600));
    }

    #[test]
    fn short_and_foreign_options_are_passed_over() {
        assert_eq!(read(&rdnss(600, &[])), None);
        assert_eq!(read(&[RDNSS, 5, 0, 0, 0, 0, 0, 1]), None);
        assert_eq!(read(&[31, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn a_server_is_known_until_its_time_is_over_or_it_is_taken_back() {
        let at = Duration::from_secs;
        let mut learned = Learned::default();
        learned.learn(at(0), &read(&rdnss(600, &["2001:db8::53", "2001:db8::54"])).unwrap());
        assert_eq!(learned.servers(at(599)).count(), 2);
        assert_eq!(learned.deadline(), Some(at(600)));
        learned.learn(at(100), &read(&rdnss(0, &["2001:db8::54"])).unwrap());
        learned.learn(at(100), &read(&rdnss(600, &["2001:db8::53"])).unwrap());
        assert_eq!(learned.servers(at(650)).count(), 1);
        assert!(learned.forget(at(700)));
        assert_eq!(learned.servers(at(0)).count(), 0);
    }
}
