//! What a server gave, and its file: a machine that starts again asks for the address that it had.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use weir_config::model::MacAddress;

use super::message::{Answer, option};
use crate::files::{self, PUBLIC};
use crate::network::names::is_host_name;

/// A lease that ends never (RFC 2131, 3.3).
const FOR_EVER: u32 = u32::MAX;

/// Where a server does not say how long, which it must.
const TIME_DEFAULT: Duration = Duration::from_secs(3600);

/// A shorter lease is taken for this long: it would be nothing but questions.
const TIME_MIN: Duration = Duration::from_secs(10);

/// More of each is cut off: what comes from the network ends up in tables and files.
const SERVERS_MAX: usize = 4;
const ROUTES_MAX: usize = 64;

/// What a card's MTU may be made by a server: RFC 2132's least is 68, at which nothing works.
const MTU_MIN: u16 = 576;
const MTU_MAX: u16 = 9216;

/// What a server gave, times counted from when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::network) struct Lease {
    pub(in crate::network) address: Ipv4Net,
    pub(in crate::network) server: Ipv4Addr,
    /// By router; None where the destination is on the link.
    pub(in crate::network) routes: Vec<(Ipv4Net, Option<Ipv4Addr>)>,
    pub(in crate::network) name_servers: Vec<Ipv4Addr>,
    pub(in crate::network) ntp_servers: Vec<Ipv4Addr>,
    pub(in crate::network) domain: Option<String>,
    pub(in crate::network) hostname: Option<String>,
    pub(in crate::network) mtu: Option<u16>,
    /// When the server is asked to go on (T1), when any server is (T2), and when it is over. None: never.
    pub(super) times: Option<Times>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    pub(super) renew: Duration,
    pub(super) rebind: Duration,
    pub(super) expire: Duration,
}

impl Lease {
    /// None: the answer gives no address that a card could have.
    pub(super) fn from_answer(answer: &Answer, server: Option<Ipv4Addr>) -> Option<Self> {
        let address = answer.gives;
        if address.is_unspecified()
            || address.is_broadcast()
            || address.is_multicast()
            || address.is_loopback()
        {
            return None;
        }
        let net = match answer.address(option::MASK) {
            Some(mask) => Ipv4Net::with_netmask(address, mask).ok()?,
            None => Ipv4Net::new(address, prefix_of_class(address)).ok()?,
        };
        let server = answer.address(option::SERVER).or(server)?;
        let name = |code| answer.text(code).filter(|name| is_host_name(name)).map(str::to_owned);
        Some(Self {
            address: net,
            server,
            routes: routes(answer),
            name_servers: answer.addresses(option::NAME_SERVERS).take(SERVERS_MAX).collect(),
            ntp_servers: answer.addresses(option::NTP_SERVERS).take(SERVERS_MAX).collect(),
            domain: name(option::DOMAIN),
            hostname: name(option::HOST_NAME),
            mtu: answer.short(option::MTU).filter(|mtu| (MTU_MIN..=MTU_MAX).contains(mtu)),
            times: times(answer),
        })
    }
}

/// RFC 3442: where there are classless routes, routers are not looked at.
fn routes(answer: &Answer) -> Vec<(Ipv4Net, Option<Ipv4Addr>)> {
    let mut routes = answer.classless_routes();
    if routes.is_empty() {
        let router = answer.addresses(option::ROUTERS).find(|router| !router.is_unspecified());
        routes.extend(router.map(|router| (Ipv4Net::default(), Some(router))));
    }
    routes.truncate(ROUTES_MAX);
    routes
}

fn times(answer: &Answer) -> Option<Times> {
    let expire = match answer.seconds(option::LEASE_TIME) {
        Some(FOR_EVER) => return None,
        Some(seconds) => Duration::from_secs(seconds.into()),
        None => TIME_DEFAULT,
    }
    .max(TIME_MIN);
    let given = |code| answer.seconds(code).map(|seconds| Duration::from_secs(seconds.into()));
    let rebind = given(option::REBINDING).filter(|time| *time < expire).unwrap_or(expire * 7 / 8);
    let renew = given(option::RENEWAL).filter(|time| *time < rebind && !time.is_zero());
    Some(Times { renew: renew.unwrap_or((expire / 2).min(rebind)), rebind, expire })
}

/// Of classes A, B and C, which is what an address without a mask means.
fn prefix_of_class(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [0..128, ..] => 8,
        [128..192, ..] => 16,
        _ => 24,
    }
}

/// A lease as its file has it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    lease: Lease,
    /// Seconds of the world's clock.
    since: u64,
    /// None: never.
    until: Option<u64>,
}

/// The file of the card with this hardware address.
pub(super) fn file(folder: &Path, mac: MacAddress) -> PathBuf {
    folder.join(format!("{}.json", mac.to_string().replace(':', "-")))
}

/// Keeps a lease that has `left` to go (None: it ends never).
pub(super) fn keep(path: &Path, lease: &Lease, left: Option<Duration>, now: SystemTime) -> io::Result<()> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let kept =
        Kept { lease: lease.clone(), since, until: left.map(|left| since.saturating_add(left.as_secs())) };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    files::write(path, &serde_json::to_vec(&kept)?, PUBLIC)
}

/// The lease that was kept, and what is left of it. A clock that is not set yet makes it nothing: the address is
/// asked for, and not used without an answer.
pub(super) fn kept(path: &Path, now: SystemTime) -> Option<(Lease, Option<Duration>)> {
    let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let left = match kept.until {
        _ if now < kept.since => Some(Duration::ZERO),
        Some(until) => Some(Duration::from_secs(until.saturating_sub(now))),
        None => None,
    };
    Some((kept.lease, left))
}

#[cfg(test)]
mod tests {
    use super::super::message::Kind;
    use super::super::message::tests::answer;
    use super::*;

    fn lease(options: &[(u8, &[u8])]) -> Option<Lease> {
        let bytes = answer(Kind::Acknowledge, 1, [192, 0, 2, 5], options);
        Lease::from_answer(&Answer::from_bytes(&bytes).unwrap(), Some([192, 0, 2, 1].into()))
    }

    #[test]
    fn everything_that_is_asked_for_is_read() {
        let lease = lease(&[
            (1, &[255, 255, 255, 0]),
            (3, &[192, 0, 2, 1]),
            (6, &[192, 0, 2, 2, 192, 0, 2, 3]),
            (12, b"lb1"),
            (15, b"example.com\0"),
            (26, &[0x23, 0x28]),
            (42, &[192, 0, 2, 4]),
            (51, &[0, 0, 14, 16]),
            (54, &[192, 0, 2, 9]),
            (58, &[0, 0, 0, 60]),
            (59, &[0, 0, 0, 120]),
        ])
        .unwrap();
        assert_eq!(lease.address, "192.0.2.5/24".parse().unwrap());
        assert_eq!(lease.server, Ipv4Addr::new(192, 0, 2, 9));
        assert_eq!(lease.routes, [("0.0.0.0/0".parse().unwrap(), Some([192, 0, 2, 1].into()))]);
        assert_eq!(lease.name_servers.len(), 2);
        assert_eq!(lease.ntp_servers.len(), 1);
        assert_eq!((lease.hostname.as_deref(), lease.domain.as_deref()), (Some("lb1"), Some("example.com")));
        assert_eq!(lease.mtu, Some(9000));
        let seconds = Duration::from_secs;
        assert_eq!(
            lease.times,
            Some(Times { renew: seconds(60), rebind: seconds(120), expire: seconds(3600) })
        );
    }

    #[test]
    fn classless_routes_go_before_the_router() {
        let lease = lease(&[(3, &[192, 0, 2, 1]), (121, &[8, 10, 192, 0, 2, 7])]).unwrap();
        assert_eq!(lease.routes, [("10.0.0.0/8".parse().unwrap(), Some([192, 0, 2, 7].into()))]);
    }

    #[test]
    fn times_that_make_no_sense_are_the_rfcs() {
        let lease = lease(&[(51, &[0, 0, 0, 80]), (58, &[0, 0, 1, 0]), (59, &[0, 0, 2, 0])]).unwrap();
        let seconds = Duration::from_secs;
        assert_eq!(lease.times, Some(Times { renew: seconds(40), rebind: seconds(70), expire: seconds(80) }));
    }

    #[test]
    fn a_lease_of_a_moment_is_taken_for_longer_and_one_for_ever_for_ever() {
        assert_eq!(lease(&[(51, &[0, 0, 0, 0])]).unwrap().times.unwrap().expire, TIME_MIN);
        assert_eq!(lease(&[(51, &[0xff; 4])]).unwrap().times, None);
    }

    #[test]
    fn addresses_and_masks_that_are_none_are_refused() {
        assert_eq!(lease(&[(1, &[255, 0, 255, 0])]), None);
        for gives in [[0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 0, 1], [127, 0, 0, 1]] {
            let bytes = answer(Kind::Acknowledge, 1, gives, &[(54, &[192, 0, 2, 9])]);
            assert_eq!(Lease::from_answer(&Answer::from_bytes(&bytes).unwrap(), None), None);
        }
    }

    #[test]
    fn what_is_kept_is_there_again_and_less_of_it() {
        let folder = std::env::temp_dir().join(format!("weir-lease-{}", std::process::id()));
        let path = file(&folder, MacAddress([2, 0, 0, 0, 0, 1]));
        let lease = lease(&[]).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        keep(&path, &lease, Some(Duration::from_secs(600)), now).unwrap();
        let later = now + Duration::from_secs(100);
        assert_eq!(kept(&path, later), Some((lease.clone(), Some(Duration::from_secs(500)))));
        assert_eq!(kept(&path, UNIX_EPOCH), Some((lease.clone(), Some(Duration::ZERO))));
        keep(&path, &lease, None, now).unwrap();
        assert_eq!(kept(&path, later), Some((lease, None)));
        fs::write(&path, "{").unwrap();
        assert_eq!(kept(&path, later), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
