//! The machine's own settings: cards that two entries want, addresses that stand twice, routers that nothing leads to.
//!
//! What is said here is what can be known without the machine: which cards there are, only the appliance sees.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::codec::{Context, Entry, Problem};
use crate::model::{Interface, InterfaceMatch, InterfaceRoute, System, Time};
use crate::raw;
use crate::tree::{At, NodeId};

/// The longest that a start may wait for the clock.
const CLOCK_WAIT_MAX: Duration = Duration::from_secs(600);
/// The least that IPv6 needs (RFC 8200 section 5).
const IPV6_MTU: u16 = 1280;

pub(super) fn system(raw: raw::System, cx: &mut Context<'_>) -> System {
    let mut taken = Taken::default();
    unique(&raw.name_servers, cx);
    time(&raw.time, cx);
    System {
        hostname: raw.hostname,
        interfaces: raw.interfaces.into_iter().filter_map(|entry| interface(entry, &mut taken, cx)).collect(),
        name_servers: raw.name_servers.iter().map(|server| server.value).collect(),
        time: raw.time.value,
    }
}

fn time(time: &At<Time>, cx: &mut Context<'_>) {
    if time.value.wait > CLOCK_WAIT_MAX {
        let problem = Problem::new("the start would wait for the clock for more than 10 minutes");
        cx.problem(cx.child_or_self(time.node, "wait"), problem.hint("nothing is served meanwhile"));
    }
}

/// What earlier interfaces have taken, and where.
#[derive(Default)]
struct Taken {
    matches: HashMap<InterfaceMatch, (String, NodeId)>,
    addresses: HashMap<IpAddr, NodeId>,
    /// The interface with a default router of IPv4, and that of IPv6.
    gateways: [Option<String>; 2],
}

/// `None` where it says not which card is meant, which the decoder has reported.
fn interface(entry: Entry<raw::Interface>, taken: &mut Taken, cx: &mut Context<'_>) -> Option<Interface> {
    let Entry { name, value: raw } = entry;
    let addresses: Vec<_> = raw.addresses.iter().map(|address| address.value).collect();
    let dhcp = raw.dhcp.unwrap_or_else(|| raw::Interface::asks_dhcp(addresses.iter()));
    let reach = Reach { addresses: &addresses, dhcp, slaac: raw.slaac };

    take_match(&name.value, &raw.matches, taken, cx);
    take_addresses(&raw.addresses, taken, cx);
    gateways(&name.value, &raw.gateways, &reach, taken, cx);
    let routes = routes(&raw.routes, &reach, cx);
    mtu(raw.mtu, &reach, cx);
    if !dhcp && !raw.slaac && addresses.is_empty() {
        let problem = Problem::new(format!("interface `{}` gets no address", name.value));
        cx.warning(name.node, problem.hint("give it `addresses`, or let it ask with `dhcp` or `slaac`"));
    }
    Some(Interface {
        name: name.value.into(),
        matches: raw.matches.value,
        dhcp,
        slaac: raw.slaac,
        addresses,
        gateways: raw.gateways.iter().map(|gateway| gateway.value).collect(),
        routes,
        mtu: raw.mtu.map(|mtu| mtu.value),
    })
}

/// One card can't be given to two.
fn take_match(name: &str, matches: &At<InterfaceMatch>, taken: &mut Taken, cx: &mut Context<'_>) {
    let InterfaceMatch { mac, path, driver } = &matches.value;
    // A card has one hardware address and one place: whoever names either names the card.
    let identity = match (mac, path, driver) {
        (None, None, None) => return, // which has been reported
        (Some(mac), _, _) => InterfaceMatch { mac: Some(*mac), ..InterfaceMatch::default() },
        (None, Some(path), _) => InterfaceMatch { path: Some(path.clone()), ..InterfaceMatch::default() },
        (None, None, Some(_)) => matches.value.clone(),
    };
    if let Some((owner, node)) = taken.matches.get(&identity) {
        let problem = Problem::new(format!("interface `{owner}` is for this card already"));
        let hint = format!("it stands in line {}; tell them apart by `mac` or `path`", cx.tree.line(*node));
        return cx.problem(matches.node, problem.hint(hint));
    }
    taken.matches.insert(identity, (name.to_owned(), matches.node));
}

fn take_addresses(addresses: &[At<IpNet>], taken: &mut Taken, cx: &mut Context<'_>) {
    for address in addresses {
        let ip = address.value.addr();
        match taken.addresses.get(&ip) {
            Some(&first) => twice(ip, address.node, first, cx),
            None => {
                taken.addresses.insert(ip, address.node);
            }
        }
    }
}

fn unique(addresses: &[At<IpAddr>], cx: &mut Context<'_>) {
    let mut seen = HashMap::new();
    for address in addresses {
        match seen.get(&address.value) {
            Some(&first) => twice(address.value, address.node, first, cx),
            None => {
                seen.insert(address.value, address.node);
            }
        }
    }
}

fn twice(ip: IpAddr, node: NodeId, first: NodeId, cx: &mut Context<'_>) {
    let problem = Problem::new(format!("`{ip}` stands here for the second time"));
    cx.problem(node, problem.hint(format!("the first is in line {}", cx.tree.line(first))));
}

/// Which networks a card will be in.
struct Reach<'a> {
    addresses: &'a [IpNet],
    dhcp: bool,
    slaac: bool,
}

impl Reach<'_> {
    /// Why no packet gets from this card to `router` directly; `None` where it does, or only the machine will know.
    fn why_not(&self, router: IpAddr) -> Option<Problem> {
        if self.addresses.iter().any(|address| address.addr() == router) {
            let problem = Problem::new(format!("`{router}` is this card's own address"));
            return Some(problem.hint("give the address of the router"));
        }
        let link_local = matches!(router, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let learns = if router.is_ipv4() { self.dhcp } else { self.slaac };
        if link_local || learns || self.addresses.iter().any(|address| address.contains(&router)) {
            return None;
        }
        let family = if router.is_ipv4() { "IPv4" } else { "IPv6" };
        let mut networks = self
            .addresses
            .iter()
            .filter(|address| address.addr().is_ipv4() == router.is_ipv4())
            .map(|address| format!("`{}`", address.trunc()));
        let problem = Problem::new(format!("`{router}` is in no network of this card"));
        Some(match networks.next() {
            None => problem.hint(format!("the card has no {family} address: add one to `addresses`")),
            Some(first) => {
                let all: Vec<_> = std::iter::once(first).chain(networks).collect();
                problem.hint(format!("its networks are {}", all.join(", ")))
            }
        })
    }
}

fn gateways(name: &str, gateways: &[At<IpAddr>], reach: &Reach<'_>, taken: &mut Taken, cx: &mut Context<'_>) {
    let mut own = [false; 2];
    for gateway in gateways {
        let (family, word) = if gateway.value.is_ipv4() { (0, "IPv4") } else { (1, "IPv6") };
        if std::mem::replace(&mut own[family], true) {
            let problem = Problem::new(format!("a second default router of {word}"));
            cx.problem(gateway.node, problem.hint("a card has one; `routes` lead elsewhere"));
            continue;
        }
        if let Some(problem) = reach.why_not(gateway.value) {
            cx.problem(gateway.node, problem);
        }
        match &taken.gateways[family] {
            Some(other) => {
                let problem =
                    Problem::new(format!("interface `{other}` has a default router of {word}, too"));
                let hint = "packets take one of the two ways; keep one, and name networks in `routes`";
                cx.warning(gateway.node, problem.hint(hint));
            }
            None => taken.gateways[family] = Some(name.to_owned()),
        }
    }
}

fn routes(raw: &[At<raw::InterfaceRoute>], reach: &Reach<'_>, cx: &mut Context<'_>) -> Vec<InterfaceRoute> {
    let mut seen: HashMap<IpNet, NodeId> = HashMap::new();
    let mut routes = Vec::with_capacity(raw.len());
    for At { value: route, node: _ } in raw {
        // What is missing has been reported.
        let (Some(to), Some(via)) = (&route.to, &route.via) else { continue };
        if to.value.prefix_len() == 0 {
            let problem = Problem::new(format!("`{}` is the default route", to.value));
            cx.problem(to.node, problem.hint("name its router in `gateways`"));
        }
        if let Some(&first) = seen.get(&to.value) {
            let problem = Problem::new(format!("a second route to `{}`", to.value));
            cx.problem(to.node, problem.hint(format!("the first is in line {}", cx.tree.line(first))));
        }
        seen.entry(to.value).or_insert(to.node);
        if to.value.addr().is_ipv4() != via.value.is_ipv4() {
            let problem = Problem::new(format!("`{}` is not of the family of `{}`", via.value, to.value));
            cx.problem(via.node, problem.hint("the router of an IPv4 network has an IPv4 address"));
        } else if let Some(problem) = reach.why_not(via.value) {
            cx.problem(via.node, problem);
        }
        routes.push(InterfaceRoute { to: to.value, via: via.value });
    }
    routes
}

fn mtu(mtu: Option<At<u16>>, reach: &Reach<'_>, cx: &mut Context<'_>) {
    let Some(mtu) = mtu.filter(|mtu| mtu.value < IPV6_MTU) else { return };
    let problem = Problem::new(format!("IPv6 needs an `mtu` of at least {IPV6_MTU}"));
    if reach.addresses.iter().any(|address| address.addr().is_ipv6()) {
        cx.problem(mtu.node, problem.hint("raise it, or take the IPv6 address away"));
    } else if reach.slaac {
        cx.warning(mtu.node, problem.hint("raise it, or say `slaac: false`"));
    }
}
