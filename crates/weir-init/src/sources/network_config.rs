//! cloud-init's network-config, versions 1 (which Proxmox writes) and 2 (netplan's), and OpenStack's
//! `network_data.json`, as [`Interface`]s. Only Ethernet cards: bonds, VLANs and bridges are told as problems, and the rest
//! is taken. Pure: which card has a name is asked of the caller.
//!
//! Cards are matched by hardware address or driver. One that is given by a kernel's name alone gets the address that the
//! card of this name has now; failing that, its match is empty, which means the first card that is left.

use std::net::IpAddr;

use ipnet::IpNet;
use weir_config::model::{Interface, InterfaceMatch, InterfaceRoute, MacAddress};

use super::fault::Problem;
use super::yaml::Node;

/// The most cards.
const INTERFACES_MAX: usize = 64;
/// The kinds of version 2 that are no plain cards.
const OTHER_KINDS: &[&str] = &["bonds", "bridges", "vlans", "wifis", "tunnels", "vrfs", "dummy-devices"];

/// What a network-config says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NetworkConfig {
    pub(super) interfaces: Vec<Interface>,
    pub(super) name_servers: Vec<IpAddr>,
    /// What of it can't be done, or not be read.
    pub(super) problems: Vec<Problem>,
}

/// Which hardware address the card of a name has.
pub(super) type MacOf<'a> = &'a dyn Fn(&str) -> Option<MacAddress>;

/// Reads version 1 or 2; either may stand under `network:`.
pub(super) fn read(document: &Node, mac_of: MacOf<'_>) -> NetworkConfig {
    let document = document.get("network").unwrap_or(document);
    let mut config = NetworkConfig::default();
    match document.text_at("version") {
        Some("1") => config.read_version_1(document, mac_of),
        Some("2") => config.read_version_2(document, mac_of),
        // What cloud-init's users write to have none.
        None if document.text_at("config") == Some("disabled") => {}
        None => config.complain("there is no `version:`; it is 1 or 2"),
        Some(version) => config.complain(&format!("version `{version}` is unknown; it is 1 or 2")),
    }
    config.interfaces.truncate(INTERFACES_MAX);
    config
}

/// Reads OpenStack's `network_data.json`.
pub(super) fn read_openstack(document: &Node) -> NetworkConfig {
    let mut config = NetworkConfig::default();
    for link in document.items_at("links").iter().take(INTERFACES_MAX) {
        let Some(id) = link.text_at("id") else { continue };
        let kind = link.text_at("type").unwrap_or("phy");
        if matches!(kind, "bond" | "vlan") {
            config
                .complain(&format!("link `{id}` is a {kind}, which is not supported; give the card itself"));
            continue;
        }
        let mac = config.mac(link.text_at("ethernet_mac_address"));
        let mut interface = interface(id, InterfaceMatch { mac, ..InterfaceMatch::default() });
        interface.mtu = config.mtu(link.text_at("mtu"));
        for network in
            document.items_at("networks").iter().filter(|network| network.text_at("link") == Some(id))
        {
            match network.text_at("type").unwrap_or_default() {
                "ipv4" | "ipv6" => config.read_subnet(&mut interface, network, "ip_address"),
                "ipv4_dhcp" => interface.dhcp = true,
                "ipv6_slaac" | "ipv6_dhcp" | "ipv6_dhcpv6-stateless" | "ipv6_dhcpv6-stateful" => {
                    interface.slaac = true;
                }
                kind => config.complain(&format!("link `{id}`: the network type `{kind}` is unknown")),
            }
            config.read_servers(network.items_at("services"));
        }
        config.interfaces.push(interface);
    }
    config.read_servers(document.items_at("services"));
    config
}

impl NetworkConfig {
    fn complain(&mut self, text: &str) {
        self.problems.push(Problem::Malformed(text.to_owned()));
    }

    fn read_version_1(&mut self, document: &Node, mac_of: MacOf<'_>) {
        for item in document.items_at("config") {
            match item.text_at("type").unwrap_or_default() {
                "physical" => self.read_physical(item, mac_of),
                "nameserver" => self.read_addresses(item.items_at("address")),
                kind => {
                    let name = item.text_at("name").unwrap_or_default();
                    self.complain(&format!(
                        "`{kind}` {name}: only `physical` and `nameserver` are supported"
                    ));
                }
            }
        }
    }

    fn read_physical(&mut self, item: &Node, mac_of: MacOf<'_>) {
        let name = item.text_at("name").unwrap_or("card");
        let mac = self.mac(item.text_at("mac_address")).or_else(|| mac_of(name));
        let mut interface = interface(name, InterfaceMatch { mac, ..InterfaceMatch::default() });
        interface.mtu = self.mtu(item.text_at("mtu"));
        for subnet in item.items_at("subnets") {
            match subnet.text_at("type").unwrap_or_default() {
                "dhcp" | "dhcp4" => interface.dhcp = true,
                "static" | "static6" => self.read_subnet(&mut interface, subnet, "address"),
                "dhcp6" | "ipv6_slaac" | "ipv6_dhcpv6-stateless" | "ipv6_dhcpv6-stateful" => {
                    interface.slaac = true;
                }
                "manual" => {}
                kind => self.complain(&format!("card `{name}`: the subnet type `{kind}` is unknown")),
            }
            self.read_addresses(subnet.items_at("dns_nameservers"));
        }
        self.interfaces.push(interface);
    }

    /// One address with its gateway and routes, as version 1 and OpenStack have them.
    fn read_subnet(&mut self, interface: &mut Interface, subnet: &Node, address_key: &str) {
        let mask = subnet.text_at("netmask");
        match subnet.text_at(address_key) {
            Some(address) => interface.addresses.extend(self.network(address, mask)),
            None => {
                self.complain(&format!(
                    "card `{}`: a static subnet without `{address_key}:`",
                    interface.name
                ));
            }
        }
        if let Some(gateway) = subnet.text_at("gateway") {
            let gateway = self.address(gateway);
            add_gateway(interface, gateway);
        }
        for route in subnet.items_at("routes") {
            let to = route
                .text_at("destination")
                .or_else(|| route.text_at("network"))
                .or_else(|| route.text_at("to"));
            let to = to.and_then(|to| self.network(to, route.text_at("netmask").or(route.text_at("prefix"))));
            let via = route.text_at("gateway").or_else(|| route.text_at("via"));
            let via = via.and_then(|via| self.address(via));
            add_route(interface, to, via);
        }
    }

    fn read_version_2(&mut self, document: &Node, mac_of: MacOf<'_>) {
        for kind in OTHER_KINDS.iter().filter(|kind| document.get(kind).is_some()) {
            self.complain(&format!("`{kind}:` are not supported; only `ethernets:` are taken"));
        }
        for (id, card) in document.entries_at("ethernets") {
            let matches = self.read_match(id, card, mac_of);
            let mut interface = interface(id, matches);
            interface.dhcp = card.is_true_at("dhcp4").unwrap_or(false);
            interface.slaac = card.is_true_at("accept-ra").unwrap_or(true);
            interface.mtu = self.mtu(card.text_at("mtu"));
            for address in card.items_at("addresses") {
                // netplan's long form is a mapping of one address to its options.
                let text = match address {
                    Node::Map(entries) => entries.first().map(|(address, _)| address.as_str()),
                    Node::Scalar(text) => Some(text.as_str()),
                    Node::List(_) => None,
                };
                interface.addresses.extend(text.and_then(|text| self.network(text, None)));
            }
            for key in ["gateway4", "gateway6"] {
                let gateway = card.text_at(key).and_then(|text| self.address(text));
                add_gateway(&mut interface, gateway);
            }
            for route in card.items_at("routes") {
                let to = match route.text_at("to") {
                    Some("default") | None => None,
                    Some(to) => self.network(to, None).map(Some).unwrap_or_default(),
                };
                let is_default = matches!(route.text_at("to"), Some("default"));
                let via = route.text_at("via").and_then(|via| self.address(via));
                if is_default { add_gateway(&mut interface, via) } else { add_route(&mut interface, to, via) }
            }
            if let Some(servers) = card.get("nameservers") {
                self.read_addresses(servers.items_at("addresses"));
            }
            self.interfaces.push(interface);
        }
    }

    fn read_match(&mut self, id: &str, card: &Node, mac_of: MacOf<'_>) -> InterfaceMatch {
        let given = card.get("match");
        let mac = given.and_then(|given| given.text_at("macaddress")).or_else(|| card.text_at("macaddress"));
        let mac = self.mac(mac);
        let driver = given.and_then(|given| given.text_at("driver")).filter(|driver| !is_pattern(driver));
        let name = given.and_then(|given| given.text_at("name")).filter(|name| !is_pattern(name));
        let by_name = || mac_of(name.or_else(|| card.text_at("set-name")).unwrap_or(id));
        let mac = if mac.is_none() && driver.is_none() { by_name() } else { mac };
        InterfaceMatch { mac, path: None, driver: driver.map(Into::into) }
    }

    fn read_servers(&mut self, services: &[Node]) {
        for service in services.iter().filter(|service| service.text_at("type") == Some("dns")) {
            self.read_addresses(service.items_at("address"));
        }
    }

    /// Name servers; several may stand in one text.
    fn read_addresses(&mut self, items: &[Node]) {
        for text in items.iter().filter_map(Node::text) {
            for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
                if let Some(address) =
                    self.address(word).filter(|address| !self.name_servers.contains(address))
                {
                    self.name_servers.push(address);
                }
            }
        }
    }

    fn address(&mut self, text: &str) -> Option<IpAddr> {
        let address = text.trim().parse().ok();
        if address.is_none() {
            self.complain(&format!("`{text}` is not an IP address"));
        }
        address
    }

    fn mac(&mut self, text: Option<&str>) -> Option<MacAddress> {
        let mac = mac_address(text?);
        if mac.is_none() {
            self.complain(&format!(
                "`{}` is not a hardware address like 52:54:00:12:34:56",
                text.unwrap_or_default()
            ));
        }
        mac
    }

    fn network(&mut self, address: &str, mask: Option<&str>) -> Option<IpNet> {
        let network = network(address, mask);
        if network.is_none() {
            let mask = mask.map(|mask| format!(" with the netmask `{mask}`")).unwrap_or_default();
            self.complain(&format!(
                "`{address}`{mask} is not an address with its prefix, such as 192.0.2.10/24"
            ));
        }
        network
    }

    fn mtu(&mut self, text: Option<&str>) -> Option<u16> {
        let mtu = text?.parse().ok().filter(|mtu| (576..=9216).contains(mtu));
        if mtu.is_none() {
            self.complain(&format!(
                "the MTU `{}` is not a number from 576 to 9216",
                text.unwrap_or_default()
            ));
        }
        mtu
    }
}

/// An address with the length of its prefix, which may stand behind it or be a mask of its own.
pub(super) fn network(address: &str, mask: Option<&str>) -> Option<IpNet> {
    let address = address.trim();
    if address.contains('/') {
        return address.parse().ok();
    }
    let address: IpAddr = address.parse().ok()?;
    let mask = mask?.trim();
    let length = match mask.parse() {
        Ok(length) => length,
        Err(_) => ipnet::ip_mask_to_prefix(mask.parse().ok()?).ok()?,
    };
    IpNet::new(address, length).ok()
}

/// A hardware address, with colons or hyphens.
pub(super) fn mac_address(text: &str) -> Option<MacAddress> {
    let mut bytes = [0; 6];
    let mut parts = text.trim().split([':', '-']);
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    if parts.next().is_some() { None } else { Some(MacAddress(bytes)) }
}

/// A card of which nothing is known yet.
pub(super) fn interface(name: &str, matches: InterfaceMatch) -> Interface {
    let (addresses, gateways, routes) = (Vec::new(), Vec::new(), Vec::new());
    Interface { name: name.into(), matches, dhcp: false, slaac: true, addresses, gateways, routes, mtu: None }
}

/// One of each family; the first counts.
fn add_gateway(interface: &mut Interface, gateway: Option<IpAddr>) {
    let fresh = gateway.filter(|new| interface.gateways.iter().all(|old| old.is_ipv4() != new.is_ipv4()));
    interface.gateways.extend(fresh);
}

fn add_route(interface: &mut Interface, to: Option<IpNet>, via: Option<IpAddr>) {
    let (Some(to), Some(via)) = (to, via) else { return };
    if to.addr().is_ipv4() != via.is_ipv4() {
        return;
    }
    if to.prefix_len() == 0 {
        return add_gateway(interface, Some(via));
    }
    interface.routes.push(InterfaceRoute { to: to.trunc(), via });
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: MacAddress = MacAddress([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn parse(text: &str) -> NetworkConfig {
        read(&Node::parse(text).unwrap(), &|name| (name == "eth7").then_some(MAC))
    }

    fn texts<T: ToString>(items: &[T]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    /// As Proxmox VE 8 writes it.
    const PROXMOX: &str = "version: 1
config:
    - type: physical
      name: eth0
      mac_address: '52:54:00:12:34:56'
      subnets:
      - type: static
        address: '192.0.2.10'
        netmask: '255.255.255.0'
        gateway: '192.0.2.1'
      - type: static6
        address: '2001:db8::10/64'
        gateway: '2001:db8::1'
    - type: physical
      name: eth1
      mac_address: 'bc:24:11:00:00:01'
      subnets:
      - type: dhcp4
      - type: ipv6_slaac
    - type: nameserver
      address:
      - '192.0.2.53'
      - '2001:db8::53'
      search:
      - 'example.com'
";

    #[test]
    fn version_1_as_proxmox_writes_it() {
        let config = parse(PROXMOX);
        assert_eq!(config.problems, []);
        assert_eq!(texts(&config.name_servers), ["192.0.2.53", "2001:db8::53"]);
        let [first, second] = config.interfaces.as_slice() else { panic!("{config:?}") };
        assert_eq!(first.matches.mac, Some(MAC));
        assert_eq!(texts(&first.addresses), ["192.0.2.10/24", "2001:db8::10/64"]);
        assert_eq!(texts(&first.gateways), ["192.0.2.1", "2001:db8::1"]);
        assert!(!first.dhcp && second.dhcp && second.slaac);
    }

    #[test]
    fn version_2_as_netplan_has_it() {
        let config = parse(
            "network:
  version: 2
  ethernets:
    front:
      match: {macaddress: '52:54:00:12:34:56'}
      set-name: front0
      addresses: [192.0.2.10/24, {'2001:db8::10/64': {label: x}}]
      routes: [{to: default, via: 192.0.2.1}, {to: 198.51.100.0/24, via: 192.0.2.2}, {to: '::/0', via: 'fe80::1'}]
      nameservers: {addresses: [192.0.2.53], search: [example.com]}
      mtu: 9000
      accept-ra: false
    eth7: {dhcp4: true}
    any: {match: {name: 'en*'}, dhcp4: yes}
    virtio: {match: {driver: virtio_net}, dhcp4: yes}
",
        );
        assert_eq!(config.problems, []);
        let [front, seven, any, virtio] = config.interfaces.as_slice() else { panic!("{config:?}") };
        assert_eq!(texts(&front.addresses), ["192.0.2.10/24", "2001:db8::10/64"]);
        assert_eq!(texts(&front.gateways), ["192.0.2.1", "fe80::1"]);
        assert_eq!(
            texts(&[front.routes[0].to.to_string(), front.routes[0].via.to_string()]),
            ["198.51.100.0/24", "192.0.2.2"]
        );
        assert_eq!((front.mtu, front.slaac, front.dhcp), (Some(9000), false, false));
        assert_eq!((seven.matches.mac, seven.dhcp), (Some(MAC), true));
        assert_eq!(any.matches, InterfaceMatch::default());
        assert_eq!(virtio.matches.driver.as_deref(), Some("virtio_net"));
    }

    #[test]
    fn openstack_network_data() {
        let document = Node::parse(
            r#"{"links": [{"id": "tap1", "type": "ovs", "ethernet_mac_address": "52:54:00:12:34:56", "mtu": 1450},
                          {"id": "b", "type": "bond"}],
                "networks": [{"link": "tap1", "type": "ipv4", "ip_address": "192.0.2.10", "netmask": "255.255.255.0",
                              "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.1"}]},
                             {"link": "tap1", "type": "ipv6_slaac"}],
                "services": [{"type": "dns", "address": "192.0.2.53"}]}"#,
        );
        let config = read_openstack(&document.unwrap());
        assert_eq!(config.problems.len(), 1, "{config:?}");
        assert_eq!(config.interfaces[0].mtu, Some(1450));
        assert_eq!(texts(&config.interfaces[0].addresses), ["192.0.2.10/24"]);
        assert_eq!(texts(&config.interfaces[0].gateways), ["192.0.2.1"]);
        assert_eq!(texts(&config.name_servers), ["192.0.2.53"]);
    }

    #[test]
    fn what_can_not_be_done_is_told_and_the_rest_is_taken() {
        let config = parse(
            "version: 2\nbonds: {b: {}}\nethernets: {a: {dhcp4: true, mtu: 1, addresses: [nonsense]}}\n",
        );
        assert_eq!(config.interfaces.len(), 1);
        assert_eq!(config.problems.len(), 3, "{:?}", config.problems);
        assert_eq!(parse("version: 3").problems.len(), 1);
        assert_eq!(parse("config: disabled"), NetworkConfig::default());
    }

    proptest! {
        #[test]
        fn no_document_panics(
            version in "[123]",
            key in "(config|ethernets|links|networks)",
            text in "[-a1:{}\\[\\]./ \n]{0,60}",
        ) {
            if let Ok(node) = Node::parse(&format!("version: {version}\n{key}: {text}")) {
                let _ = read(&node, &|_| None);
                let _ = read_openstack(&node);
            }
        }

        #[test]
        fn no_address_panics(text in "[0-9a-f:./]{0,20}", mask in "[0-9a-f:.]{0,15}") {
            let _ = network(&text, Some(&mask));
            let _ = mac_address(&text);
        }
    }
}
