//! The thread that owns the network: waits for whatever may happen, then looks at everything and makes it right.
//!
//! It is the only one that changes addresses, routes and cards, `resolv.conf` and the host name. A failure is shown in
//! the card's condition and tried again after [`RETRY`]; nothing here ends the thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_config::model::{Interface, InterfaceMatch, MacAddress};

use super::card::{Card, assign};
use super::desired::{Desired, Wish};
use super::dhcp::{self, Client};
use super::kernel::{self, Place};
use super::names::{Names, is_host_name};
use super::netlink::objects::{Address, Link, Route, Rule};
use super::netlink::{Netlink, Notifications};
use super::planner::{Operation, Present, plan};
use super::report::{self, Facts};
use super::router_options::{Advertised, Learned};
use super::settings::{self, Wanted};
use super::{Places, Plan, Report, Shared, lock};
use crate::{Event, Teller};

/// Changes come in bursts: one look for those within this time.
const GATHER: Duration = Duration::from_millis(10);

/// When what the kernel refused is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Where a plan can't wake the thread, it looks for one this often.
const LOOK_FOR_PLAN: Duration = Duration::from_millis(500);

/// What the machine is called where nobody says.
const HOSTNAME_DEFAULT: &str = "weir";

/// The thread's life.
pub(super) fn run(shared: &Arc<Shared>, teller: &Teller, places: &Places) {
    loop {
        match Owner::open(Arc::clone(shared), teller.clone(), places.clone()) {
            Ok(mut owner) => return owner.run(),
            Err(error) => {
                tracing::error!(%error, "the kernel's network can't be asked: there is no network");
                std::thread::sleep(RETRY);
            }
        }
    }
}

/// What is remembered of a card.
#[derive(Debug)]
struct Known {
    mac: MacAddress,
    place: Place,
    /// Before it was set.
    mtu: u32,
    client: Option<Client>,
    learned: Learned,
    /// As they were set last, under which name.
    settings: Option<(String, Wanted)>,
    failure: Option<String>,
}

struct Owner {
    shared: Arc<Shared>,
    teller: Teller,
    places: Places,
    netlink: Netlink,
    notifications: Notifications,
    plan: Option<Plan>,
    known: BTreeMap<u32, Known>,
    /// When everything is looked at again.
    look: Option<Duration>,
    names: Option<Names>,
    hostname: Option<String>,
}

/// The kernel's tables.
struct Tables {
    cards: Vec<Card>,
    addresses: Vec<Address>,
    routes: Vec<Route>,
    rules: Vec<Rule>,
}

/// What one card is, and what it is to be.
struct Meant {
    card: Card,
    /// None: the plan has others and not this one.
    interface: Option<Interface>,
    /// Its place among those that are given something.
    order: u32,
}

impl Owner {
    fn open(shared: Arc<Shared>, teller: Teller, places: Places) -> io::Result<Self> {
        let notifications = Notifications::open()?;
        Ok(Self {
            shared,
            teller,
            places,
            netlink: Netlink::open()?,
            notifications,
            plan: None,
            known: BTreeMap::new(),
            look: Some(Duration::ZERO),
            names: None,
            hostname: None,
        })
    }

    fn run(&mut self) {
        self.turn_loopback_on();
        loop {
            self.wait();
            let now = kernel::now();
            if let Some(plan) = lock(&self.shared.plan).take() {
                self.plan = Some(plan);
                self.look = Some(now);
            }
            self.hear_kernel(now);
            self.hear_servers(now);
            if self.look.is_some_and(|look| look <= now) {
                self.look = None;
                if let Err(error) = self.make_right(now) {
                    tracing::warn!(%error, "the kernel's network can't be read");
                    self.look_again(now + RETRY);
                }
            }
        }
    }

    fn look_again(&mut self, at: Duration) {
        self.look = Some(self.look.map_or(at, |look| look.min(at)));
    }

    /// Until a socket has something or something is due.
    fn wait(&self) {
        let mut deadline = self.look;
        let clients = || self.known.values().filter_map(|known| known.client.as_ref());
        let due = clients().filter_map(Client::deadline);
        for due in due.chain(self.known.values().filter_map(|known| known.learned.deadline())) {
            deadline = Some(deadline.map_or(due, |deadline| deadline.min(due)));
        }
        let now = kernel::now();
        let mut time = deadline.map(|deadline| deadline.saturating_sub(now));
        if self.shared.wake.is_none() {
            time = Some(time.map_or(LOOK_FOR_PLAN, |time| time.min(LOOK_FOR_PLAN)));
        }
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let sockets = clients().flat_map(Client::sockets);
        let fixed = [Some(self.notifications.as_fd()), self.shared.wake.as_ref().map(AsFd::as_fd)];
        let mut waited: Vec<PollFd<'_>> = fixed
            .into_iter()
            .flatten()
            .chain(sockets)
            .map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN))
            .collect();
        // An error is EINTR, or one that looking does not make worse.
        let _ = poll(&mut waited, time.as_ref());
        if let Some(wake) = &self.shared.wake {
            let _ = rustix::io::read(wake, &mut [0; 8]);
        }
    }

    fn hear_kernel(&mut self, now: Duration) {
        let known = &mut self.known;
        let any = self.notifications.drain(|message| {
            if let Some(advertised) = Advertised::read(message)
                && let Some(known) = known.get_mut(&advertised.index)
            {
                known.learned.learn(now, &advertised);
            }
        });
        let mut forgotten = false;
        for known in self.known.values_mut() {
            forgotten |= known.learned.forget(now);
        }
        if any || forgotten {
            self.look_again(now + GATHER);
        }
    }

    fn hear_servers(&mut self, now: Duration) {
        let mut changed = false;
        for client in self.known.values_mut().filter_map(|known| known.client.as_mut()) {
            let was_unanswered = client.is_unanswered();
            for event in [client.read(now), client.tick(now)] {
                match event {
                    dhcp::Event::Changed => changed = true,
                    dhcp::Event::Nothing => {}
                }
            }
            // Not a change of the network, but of what is told of it.
            changed |= was_unanswered != client.is_unanswered();
        }
        if changed {
            self.look_again(now);
        }
    }

    fn turn_loopback_on(&mut self) {
        let links = self.netlink.table(Link::table, Link::read).unwrap_or_default();
        for link in links.iter().filter(|link| link.loopback && !link.up) {
            if let Err(error) = self.netlink.order(Link::set_up(link.index, true)) {
                tracing::error!(%error, "the loopback interface can't be turned on");
            }
        }
    }

    /// Looks at everything, and does what is missing.
    fn make_right(&mut self, now: Duration) -> io::Result<()> {
        let mut tables = self.read_tables()?;
        self.meet(&tables.cards);
        if self.plan.is_none() {
            self.publish(Report { interfaces: report::idle(&tables.cards), ..Report::default() });
            return Ok(());
        }
        let meant = self.meant(&tables.cards);
        self.set_clients(&meant, now);
        let desired = Desired::new(&self.wishes(&meant, now));
        self.set_settings(&meant, now);
        let present = Present {
            cards: &tables.cards,
            addresses: &tables.addresses,
            routes: &tables.routes,
            rules: &tables.rules,
        };
        let operations = plan(&present, &desired);
        if !operations.is_empty() {
            if !self.carry_out(&operations) {
                self.look_again(now + RETRY);
            }
            tables = self.read_tables()?;
        }
        self.conclude(&tables, now);
        Ok(())
    }

    fn read_tables(&mut self) -> io::Result<Tables> {
        let links = self.netlink.table(Link::table, Link::read)?;
        let known = &self.known;
        let place = |index: u32, name: &str| {
            known.get(&index).map_or_else(|| kernel::place(name), |known| known.place.clone())
        };
        let mut cards: Vec<Card> =
            links.iter().filter_map(|link| Card::from_link(link, |name| place(link.index, name))).collect();
        cards.sort_by(Card::order);
        Ok(Tables {
            cards,
            addresses: self.netlink.table(Address::table, Address::read)?,
            routes: self.netlink.table(Route::table, Route::read)?,
            // A kernel without policy routing has no such table, and one way out is enough for most.
            rules: self.netlink.table(Rule::table, Rule::read).unwrap_or_default(),
        })
    }

    /// Remembers new cards and forgets those that are gone.
    fn meet(&mut self, cards: &[Card]) {
        let there: BTreeSet<u32> = cards.iter().map(|card| card.index).collect();
        self.known.retain(|index, _| there.contains(index));
        for card in cards {
            let known = self.known.entry(card.index).or_insert_with(|| {
                tracing::info!(card = card.name, mac = %card.mac, driver = card.place.driver, "network card");
                Known {
                    mac: card.mac,
                    place: card.place.clone(),
                    mtu: card.mtu,
                    client: None,
                    learned: Learned::default(),
                    settings: None,
                    failure: None,
                }
            });
            if known.mac != card.mac {
                (known.mac, known.client) = (card.mac, None);
            }
        }
    }

    /// Each card with what the plan means it to be, those that are given something first, in the plan's order.
    fn meant(&self, cards: &[Card]) -> Vec<Meant> {
        let interfaces = self.plan.as_ref().map_or(&[][..], |plan| plan.interfaces.as_slice());
        let one = |card: &Card, interface, order: usize| Meant {
            card: card.clone(),
            interface,
            order: u32::try_from(order).unwrap_or(u32::MAX),
        };
        if interfaces.is_empty() {
            return cards
                .iter()
                .enumerate()
                .map(|(order, card)| one(card, Some(automatic(card)), order))
                .collect();
        }
        let assigned = assign(interfaces, cards);
        let mut meant = Vec::with_capacity(cards.len());
        for (interface, at) in interfaces.iter().zip(&assigned) {
            if let Some(card) = at.and_then(|at| cards.get(at)) {
                meant.push(one(card, Some(interface.clone()), meant.len()));
            }
        }
        for (at, card) in cards.iter().enumerate() {
            if !assigned.contains(&Some(at)) {
                meant.push(one(card, None, meant.len()));
            }
        }
        meant
    }

    fn wishes<'a>(&'a self, meant: &'a [Meant], now: Duration) -> Vec<Wish<'a>> {
        let wish = |meant: &'a Meant| {
            let known = self.known.get(&meant.card.index)?;
            Some(Wish {
                index: meant.card.index,
                order: meant.order,
                interface: meant.interface.as_ref(),
                lease: known.client.as_ref().and_then(|client| client.lease(now)),
                mtu: known.mtu,
            })
        };
        meant.iter().filter_map(wish).collect()
    }

    /// DHCP clients for the cards that are to have one, and none for the others.
    fn set_clients(&mut self, meant: &[Meant], now: Duration) {
        let hostname = self.plan.as_ref().and_then(|plan| plan.hostname.clone());
        for Meant { card, interface, .. } in meant {
            let Some(known) = self.known.get_mut(&card.index) else { continue };
            if !interface.as_ref().is_some_and(|interface| interface.dhcp) {
                known.client = None;
                continue;
            }
            let client = known.client.get_or_insert_with(|| {
                Client::new(&card.name, card.mac, hostname.clone(), &self.places.leases, now)
            });
            client.set_hostname(hostname.clone());
            // What comes of it is looked at in this same round.
            let _ = client.set_carrier(&card.name, card.up && card.carrier, now);
        }
    }

    fn set_settings(&mut self, meant: &[Meant], now: Duration) {
        let wanted: Vec<(u32, Wanted)> = self
            .wishes(meant, now)
            .iter()
            .map(|wish| {
                let slaac = wish.interface.is_some_and(|interface| interface.slaac);
                (wish.index, Wanted { ipv6: wish.ipv6(), slaac, metric: wish.metric() })
            })
            .collect();
        for (Meant { card, .. }, (index, wanted)) in meant.iter().zip(wanted) {
            let Some(known) = self.known.get_mut(&index) else { continue };
            let settings = Some((card.name.clone(), wanted));
            if known.settings != settings {
                settings::set(&card.name, wanted);
                known.settings = settings;
            }
        }
    }

    /// Whether all went well.
    fn carry_out(&mut self, operations: &[Operation]) -> bool {
        let mut failures: BTreeMap<u32, String> = BTreeMap::new();
        let mut well = true;
        for operation in operations {
            let request = match operation {
                Operation::SetMtu { index, mtu } => Link::set_mtu(*index, *mtu),
                Operation::TurnOn { index } => Link::set_up(*index, true),
                Operation::TurnOff { index } => Link::set_up(*index, false),
                Operation::AddAddress { index, net, metric } => Address::add(*index, *net, *metric),
                Operation::RemoveAddress { index, net } => Address::remove(*index, *net),
                Operation::AddRoute(route) => route.add(),
                Operation::RemoveRoute(route) => route.remove(),
                Operation::AddRule(rule) => rule.add(),
                Operation::RemoveRule(rule) => rule.remove(),
            };
            tracing::debug!(card = operation.index(), "{operation}");
            if let Err(error) = self.netlink.order(request) {
                if is_gone(operation, &error) {
                    continue;
                }
                well = false;
                let failure = format!("{operation} failed: {error}");
                failures.entry(operation.index().unwrap_or_default()).or_insert(failure);
            }
        }
        for (index, known) in &mut self.known {
            let failure = failures.remove(index);
            if let Some(failure) = failure.as_ref().filter(|failure| known.failure.as_ref() != Some(failure))
            {
                tracing::warn!(card = index, failure, "the network is not as it ought to be");
            }
            known.failure = failure;
        }
        well
    }

    /// The host name, the name servers, and what is told to others.
    fn conclude(&mut self, tables: &Tables, now: Duration) {
        let meant = self.meant(&tables.cards);
        let (mut report, mut waiting) = (Report::default(), false);
        let (mut name_servers, mut learned, mut domain, mut named) = (Vec::new(), Vec::new(), None, None);
        for Meant { card, interface, .. } in &meant {
            let Some(known) = self.known.get(&card.index) else { continue };
            let client = known.client.as_ref();
            let lease = client.and_then(|client| client.lease(now));
            if let Some(lease) = lease {
                name_servers.extend(lease.name_servers.iter().copied().map(IpAddr::from));
                report.ntp_servers.extend(lease.ntp_servers.iter().copied().map(IpAddr::from));
                domain = domain.or(lease.domain.clone());
                named = named.or(lease.hostname.clone());
            }
            learned.extend(known.learned.servers(now));
            let facts = Facts {
                card,
                interface: interface.as_ref(),
                is_automatic: self.plan.as_ref().is_some_and(|plan| plan.interfaces.is_empty()),
                leased: lease.map(|lease| lease.address.into()),
                unanswered: client.is_some_and(Client::is_unanswered),
                addresses: &tables.addresses,
                failure: known.failure.as_deref(),
            };
            report.interfaces.push(report::status(&facts));
            waiting |= report::is_waiting(&facts);
            report.ready |= report::has_address(&facts);
        }
        report.ready &= !waiting;
        report::sort(&mut report.interfaces, &tables.cards);
        let plan = self.plan.clone().unwrap_or_default();
        report.interfaces.extend(report::missing(&plan.interfaces, &report.interfaces));
        let names =
            Names::new(plan.name_servers.into_iter().chain(name_servers).chain(learned), domain.as_deref());
        report.name_servers = names.servers().to_vec();
        self.set_names(names, now);
        let hostname = plan.hostname.or(named).filter(|name| is_host_name(name));
        report.hostname = hostname.unwrap_or_else(|| HOSTNAME_DEFAULT.to_owned());
        self.set_hostname(&report.hostname);
        self.publish(report);
    }

    fn set_names(&mut self, names: Names, now: Duration) {
        if self.names.as_ref() == Some(&names) {
            return;
        }
        match names.write(&self.places.resolv_conf) {
            Ok(()) => self.names = Some(names),
            Err(error) => {
                let path = self.places.resolv_conf.display();
                tracing::warn!(%path, %error, "the name servers can't be written");
                self.look_again(now + RETRY);
            }
        }
    }

    fn set_hostname(&mut self, hostname: &str) {
        if self.hostname.as_deref() == Some(hostname) {
            return;
        }
        if let Err(error) = kernel::set_hostname(hostname) {
            tracing::warn!(hostname, %error, "the host name can't be set");
        }
        self.hostname = Some(hostname.to_owned());
    }

    fn publish(&self, report: Report) {
        let mut told = lock(&self.shared.report);
        if *told == report {
            return;
        }
        *told = report;
        drop(told);
        self.shared.changed.notify_all();
        // Where nobody listens any more, the network goes on all the same: the child has connections.
        let _ = self.teller.tell(Event::Network);
    }
}

/// What a card is given where the file has no interfaces.
fn automatic(card: &Card) -> Interface {
    Interface {
        name: card.name.as_str().into(),
        matches: InterfaceMatch { mac: Some(card.mac), ..InterfaceMatch::default() },
        dhcp: true,
        slaac: true,
        addresses: Vec::new(),
        gateways: Vec::new(),
        routes: Vec::new(),
        mtu: None,
    }
}

/// What was to be removed went by itself: with its address, its card.
fn is_gone(operation: &Operation, error: &io::Error) -> bool {
    const NO_SUCH_PROCESS: i32 = 3;
    const NO_SUCH_DEVICE: i32 = 19;
    const ADDRESS_NOT_AVAILABLE: i32 = 99;
    let gone = [NO_SUCH_PROCESS, NO_SUCH_DEVICE, ADDRESS_NOT_AVAILABLE, 2];
    let is_gone = error.raw_os_error().is_some_and(|code| gone.contains(&code));
    match operation {
        Operation::RemoveRule(_)
        | Operation::RemoveRoute(_)
        | Operation::RemoveAddress { .. }
        | Operation::TurnOff { .. } => is_gone,
        Operation::SetMtu { .. }
        | Operation::TurnOn { .. }
        | Operation::AddAddress { .. }
        | Operation::AddRoute(_)
        | Operation::AddRule(_) => false,
    }
}
