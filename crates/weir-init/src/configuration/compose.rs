//! The configuration file that first-boot data makes: its own, or the one that is there, with what else the data says of the
//! machine written into `system`, so that from then on one file has it all.

use std::path::Path;

use weir_config::model::{Interface, MacAddress, System, bus_path};
use weir_config::{Config, Diagnostics, Parsed};

use crate::modules::natural;
use crate::sources::Seed;

/// What the data comes to on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// The file where the data has none.
    pub(super) text: &'a str,
    /// Whether that one is an operator's, whose network the data replaces: a clone is to have an address of its own.
    pub(super) replaces: bool,
    /// The network cards, in the order of their places.
    pub(super) cards: &'a [Card],
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Card {
    mac: MacAddress,
    path: String,
    driver: String,
}

/// The text and what it means; or the text that isn't valid, and why.
pub(super) fn compose(
    seed: &Seed,
    around: Surroundings<'_>,
) -> Result<(String, Config), (String, Diagnostics)> {
    let text = seed.config.as_deref().unwrap_or(around.text);
    let mut config = check(text.to_owned())?.1;
    let before = config.system.clone();
    merge(&mut config.system, seed, around.replaces && seed.config.is_none());
    name_cards(&mut config.system.interfaces, around.cards);
    if config.system == before {
        return Ok((text.to_owned(), config));
    }
    // What people wrote stays as they wrote it, comments and all, where that is possible.
    if before == System::default()
        && let Ok(appended) = check(format!("{}\n\n{}", text.trim_end(), section(&config)))
    {
        return Ok(appended);
    }
    check(weir_config::to_yaml(&config))
}

fn check(text: String) -> Result<(String, Config), (String, Diagnostics)> {
    match weir_config::parse(&text) {
        Ok(Parsed { config, .. }) => Ok((text, config)),
        Err(found) => Err((text, found)),
    }
}

fn merge(system: &mut System, seed: &Seed, replaces: bool) {
    if (system.hostname.is_none() || replaces) && seed.hostname.is_some() {
        system.hostname = seed.hostname.as_deref().map(Into::into);
    }
    if (system.interfaces.is_empty() || replaces) && !seed.interfaces.is_empty() {
        system.interfaces.clone_from(&seed.interfaces);
    }
    if (system.name_servers.is_empty() || replaces) && !seed.name_servers.is_empty() {
        system.name_servers.clone_from(&seed.name_servers);
    }
}

/// An interface that says not which card it means (`ip=` without a device) means the first that no other one does. The file
/// has to name it, or it would be another one when a card is added.
fn name_cards(interfaces: &mut [Interface], cards: &[Card]) {
    let meant = |interface: &Interface, card: &Card| {
        let matches = &interface.matches;
        *matches != Default::default()
            && matches.mac.is_none_or(|mac| mac == card.mac)
            && matches.path.as_deref().is_none_or(|path| path == card.path)
            && matches.driver.as_deref().is_none_or(|driver| driver == card.driver)
    };
    for position in 0..interfaces.len() {
        if interfaces[position].matches == Default::default() {
            let free = cards.iter().find(|card| !interfaces.iter().any(|other| meant(other, card)));
            interfaces[position].matches.mac = free.map(|card| card.mac);
        }
    }
}

/// `system:` alone, as a file would have it.
fn section(config: &Config) -> String {
    let whole = weir_config::to_yaml(config);
    let from = whole.lines().skip_while(|line| *line != "system:");
    let inside = |position: usize, line: &str| position == 0 || line.is_empty() || line.starts_with(' ');
    let lines: Vec<&str> = from
        .enumerate()
        .take_while(|(position, line)| inside(*position, line))
        .map(|(_, line)| line)
        .collect();
    format!("# From the first-boot data.\n{}\n", lines.join("\n").trim_end())
}

/// The network cards that are there.
pub(super) fn cards() -> Vec<Card> {
    let mut cards: Vec<_> = std::fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let device = entry.path().join("device");
            let place = device.canonicalize().ok()?;
            let name = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
            let driver = device.join("driver").canonicalize().ok().as_deref().and_then(name);
            let mac = std::fs::read_to_string(entry.path().join("address")).ok()?.trim().parse().ok()?;
            let path = bus_path(&place)?.to_owned();
            Some((natural(&place.to_string_lossy()), Card { mac, path, driver: driver.unwrap_or_default() }))
        })
        .collect();
    cards.sort_by(|(a, _), (b, _)| a.cmp(b));
    cards.into_iter().map(|(_, card)| card).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::model::InterfaceMatch;

    const NONE: Surroundings<'static> = Surroundings { text: "version: 1\n", replaces: false, cards: &[] };

    fn card(last: u8) -> Card {
        let path = format!("0000:00:{last:02x}.0");
        Card { mac: MacAddress([2, 0, 0, 0, 0, last]), path, driver: "virtio_net".into() }
    }

    fn interface(matches: InterfaceMatch) -> Interface {
        Interface {
            name: "front".into(),
            matches,
            dhcp: false,
            slaac: true,
            addresses: vec!["192.0.2.10/24".parse().unwrap()],
            gateways: vec!["192.0.2.1".parse().unwrap()],
            routes: Vec::new(),
            mtu: None,
        }
    }

    #[test]
    fn a_file_that_says_all_stays_as_it_is() {
        let text = "# mine\nversion: 1\nsystem: { hostname: lb1 }\n";
        let seed = Seed { config: Some(text.into()), hostname: Some("other".into()), ..Seed::default() };
        assert_eq!(compose(&seed, NONE).unwrap().0, text);
    }

    #[test]
    fn what_else_the_data_says_is_added_and_comments_stay() {
        let seed = Seed {
            config: Some("# mine\nversion: 1\n".into()),
            hostname: Some("lb2".into()),
            name_servers: vec!["192.0.2.53".parse().unwrap()],
            ..Seed::default()
        };
        let (text, config) = compose(&seed, NONE).unwrap();
        assert!(text.starts_with("# mine\nversion: 1\n\n# From the first-boot data.\nsystem:\n"), "{text}");
        assert_eq!(config.system.hostname.as_deref(), Some("lb2"));
        assert_eq!(config.system.name_servers.len(), 1);
    }

    #[test]
    fn a_file_with_a_part_of_it_is_written_anew() {
        let seed = Seed {
            config: Some("{version: 1, system: {hostname: lb1}}".into()),
            name_servers: vec!["192.0.2.53".parse().unwrap()],
            ..Seed::default()
        };
        let (text, config) = compose(&seed, NONE).unwrap();
        assert_eq!(weir_config::parse(&text).unwrap().config, config);
        assert_eq!((config.system.hostname.as_deref(), config.system.name_servers.len()), (Some("lb1"), 1));
    }

    #[test]
    fn an_interface_without_a_card_gets_the_first_that_is_free() {
        let first = interface(InterfaceMatch { path: Some("0000:00:03.0".into()), ..Default::default() });
        let mut second = interface(InterfaceMatch::default());
        (second.name, second.addresses) = ("back".into(), vec!["198.51.100.10/24".parse().unwrap()]);
        second.gateways = Vec::new();
        let seed = Seed { interfaces: vec![first, second], ..Seed::default() };
        let cards = [card(3), card(4)];
        let (text, config) = compose(&seed, Surroundings { cards: &cards, ..NONE }).unwrap();
        assert_eq!(config.system.interfaces[1].matches.mac, Some(cards[1].mac), "{text}");
    }

    #[test]
    fn a_clone_gets_an_address_of_its_own_and_keeps_the_rest() {
        let seed = Seed {
            interfaces: vec![interface(InterfaceMatch { mac: Some(card(3).mac), ..Default::default() })],
            ..Seed::default()
        };
        let original =
            "version: 1\nsystem: { hostname: lb1, interfaces: { old: { match: { driver: e1000 } } } }\n";
        let around = Surroundings { text: original, replaces: true, cards: &[] };
        let (_, config) = compose(&seed, around).unwrap();
        assert_eq!(config.system.hostname.as_deref(), Some("lb1"));
        assert_eq!(config.system.interfaces.len(), 1);
        assert_eq!(&*config.system.interfaces[0].name, "front");
    }

    #[test]
    fn data_that_makes_no_valid_file_is_refused_with_its_text() {
        let mut wrong = interface(InterfaceMatch { driver: Some("e1000".into()), ..Default::default() });
        wrong.gateways = vec!["203.0.113.1".parse().unwrap()];
        let seed = Seed { interfaces: vec![wrong], ..Seed::default() };
        let (text, found) = compose(&seed, NONE).unwrap_err();
        assert!(found.render("seed", &text, weir_config::Color::Never).contains("203.0.113.1"));
    }
}
