//! `system:`: what it means, and what users are told of mistakes in it, to the letter.

use std::time::Duration;

use weir_config::model::{MacAddress, System};
use weir_config::{parse, to_yaml};

/// A valid file with this `system:` section, whose first line is the file's sixth.
fn file(system: &str) -> String {
    format!(
        "version: 1\nlisteners: {{ web: {{ bind: 127.0.0.1:8080, routes: [pool: web] }} }}\n\
         pools: {{ web: {{ servers: [127.0.0.1:9101] }} }}\n\nsystem:\n{system}\n"
    )
}

/// One interface, of which `rest` is all but the match, from line 10.
fn interface(rest: &str) -> String {
    file(&format!(
        "  interfaces:\n    lan:\n      match: {{ driver: virtio_net }}\n      slaac: false\n{rest}"
    ))
}

#[track_caller]
fn told(text: &str, expected: &[&str]) {
    let found = match parse(text) {
        Ok(parsed) => parsed.warnings,
        Err(found) => found,
    };
    assert_eq!(found.to_string(), expected.join("\n"), "of\n{text}");
}

#[test]
fn all_of_it_means_what_it_says() {
    let text = file(
        "  hostname: lb1.example.com
  interfaces:
    front:
      match: { mac: 00-15-5D-01-02-0A, driver: hv_netvsc }
      addresses: [192.0.2.10/24, '2001:db8::10/64']
      gateways: [192.0.2.1, 'fe80::1']
      mtu: 9000
    back:
      match: { path: '0000:00:04.0' }
      slaac: false
      routes: [{ to: 10.0.0.0/8, via: 172.16.0.1 }]
  name_servers: 192.0.2.53
  time: { servers: [ntp.example.com, 192.0.2.123], wait: 0s }",
    );
    let parsed = parse(&text).unwrap();
    assert!(parsed.warnings.is_empty(), "{}", parsed.warnings);
    let system = &parsed.config.system;
    assert_eq!(system.hostname.as_deref(), Some("lb1.example.com"));
    let [front, back] = system.interfaces.as_slice() else { panic!("{system:?}") };
    assert_eq!((&*front.name, &*back.name), ("front", "back"));
    assert_eq!(front.matches.mac, Some(MacAddress([0, 0x15, 0x5d, 1, 2, 0x0a])));
    assert_eq!((front.dhcp, front.slaac, front.mtu), (false, true, Some(9000)));
    assert_eq!((back.dhcp, back.slaac, back.mtu), (true, false, None));
    assert_eq!(back.routes[0].via.to_string(), "172.16.0.1");
    assert_eq!(system.name_servers.len(), 1);
    assert_eq!((system.time.servers.len(), system.time.wait), (2, Duration::ZERO));
    let printed = to_yaml(&parsed.config);
    assert!(printed.contains("mac: 00:15:5d:01:02:0a"), "{printed}");
    let decimal =
        to_yaml(&parse(&file("  interfaces: { a: { match: { mac: 52-54-00-12-34-56 } } }")).unwrap().config);
    assert!(decimal.contains("mac: \"52:54:00:12:34:56\""), "YAML 1.1 sees a number of base 60: {decimal}");
    assert!(!printed.contains("dhcp"), "a default is not printed: {printed}");
    assert_eq!(parse(&printed).unwrap().config, parsed.config);
}

#[test]
fn without_it_everything_is_a_default_and_nothing_is_printed() {
    let config = parse(&file("  {}")).unwrap().config;
    assert_eq!(config.system, System::default());
    assert!(!to_yaml(&config).contains("system"));
}

#[test]
fn dhcp_is_asked_where_no_address_of_ipv4_is_given() {
    let dhcp = |rest: &str| parse(&interface(rest)).unwrap().config.system.interfaces[0].dhcp;
    assert!(dhcp(""));
    assert!(dhcp("      addresses: '2001:db8::10/64'"));
    assert!(!dhcp("      addresses: 192.0.2.10/24"));
    // Who asks for both has both.
    assert!(dhcp("      addresses: 192.0.2.10/24\n      dhcp: true"));
    assert!(!dhcp("      addresses: '2001:db8::10/64'\n      dhcp: false"));
}

#[test]
fn mistakes_in_values() {
    told(
        &file("  hostname: load_balancer"),
        &[
            "6:13: `load_balancer` is not a host name (a machine's name is made of letters, digits, `-` and `.` (RFC 1123))",
        ],
    );
    told(
        &file(&format!("  hostname: a{}", ".abcdefgh".repeat(8))),
        &["6:13: the name has 73 characters; the most is 64"],
    );
    told(
        &file("  name_servers: [dns.example.com, 0.0.0.0]"),
        &[
            "6:18: `dns.example.com` is not an IP address (write it like `192.0.2.1` or `2001:db8::1`)",
            "6:35: `0.0.0.0` is nobody's address",
        ],
    );
    told(
        &file("  name_servers: [192.0.2.53, 192.0.2.53]"),
        &["6:30: `192.0.2.53` stands here for the second time (the first is in line 6)"],
    );
    told(
        &file("  time: { servers: 'ntp.example.com:123', wait: 1h }"),
        &[
            "6:20: `ntp.example.com:123` is not a host name (a host is given without a port: `ntp.example.com`)",
            "6:49: the start would wait for the clock for more than 10 minutes (nothing is served meanwhile)",
        ],
    );
    told(
        &interface(
            "      mtu: 100\n      addresses: [192.0.2.10, 192.0.2.0/24, 192.0.2.255/24, 127.0.0.1/8]",
        ),
        &[
            "10:12: 100 is not between 576 and 9216",
            "11:19: `192.0.2.10` has no length of its prefix (did you mean `192.0.2.10/24`?)",
            "11:31: `192.0.2.0/24` is the network itself (give the address of the machine in it)",
            "11:45: `192.0.2.255/24` reaches everybody in its network (give the address of the machine in it)",
            "11:61: `127.0.0.1/8` is no address of a card",
        ],
    );
    told(
        &interface("      addresses: 192.0.2.10/255.255.255.0"),
        &[
            "10:18: `192.0.2.10/255.255.255.0` is not an address with the length of its prefix (a mask is written as its \
           length: 255.255.255.0 is `/24`)",
        ],
    );
}

#[test]
fn a_link_of_two_addresses_has_no_network_of_its_own() {
    told(&interface("      addresses: [192.0.2.0/31, '2001:db8::/127', 198.51.100.7/32]"), &[]);
}

#[test]
fn which_card_is_meant_must_be_said() {
    told(&file("  interfaces: { lan: {} }"), &["6:17: this interface has no `match`"]);
    told(
        &file("  interfaces: { lan: { match: {} } }"),
        &["6:24: this match has none of `mac`, `path`, `driver` (give it at least one of them)"],
    );
    told(
        &file("  interfaces: { lan: { match: { name: eth0 } } }"),
        &[
            "6:24: this match has none of `mac`, `path`, `driver` (give it at least one of them)",
            "6:33: unknown key `name` (known here: `mac`, `path`, `driver`)",
        ],
    );
    let mac = |mac: &str, message: &str| {
        told(
            &file(&format!("  interfaces: {{ lan: {{ match: {{ driver: e1000, mac: '{mac}' }} }} }}")),
            &[&format!("6:53: `{mac}` {message}")],
        );
    };
    let form = "is not a hardware address (write it like `52:54:00:12:34:56`)";
    mac("52:54:00:12:34", form);
    mac("52:54:0:12:34:56", form);
    mac("52:54:00:12:34:5g", form);
    mac("52:54-00:12:34:56", form);
    mac("", form);
    let nobody = "is no card's address (it is all zero, or stands for a group of cards)";
    mac("00:00:00:00:00:00", nobody);
    mac("ff:ff:ff:ff:ff:ff", nobody);
    mac("01:00:5e:00:00:01", nobody);
}

#[test]
fn a_hardware_address_may_look_like_a_number() {
    for (written, meant) in [
        ("00155D010203", "00:15:5d:01:02:03"),
        ("001550010203", "00:15:50:01:02:03"),
        ("001500102e03", "00:15:00:10:2e:03"),
        ("52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef"),
    ] {
        let text = file(&format!("  interfaces: {{ lan: {{ match: {{ mac: {written} }} }} }}"));
        let mac = parse(&text).unwrap().config.system.interfaces[0].matches.mac.unwrap();
        assert_eq!(mac.to_string(), meant);
    }
}

#[test]
fn a_card_is_given_to_one() {
    told(
        &file("  interfaces:\n    a: { match: { driver: e1000 } }\n    b: { match: { driver: e1000 } }"),
        &[
            "8:17: interface `a` is for this card already (it stands in line 7; tell them apart by `mac` or `path`)",
        ],
    );
    told(
        &file(
            "  interfaces:\n    a: { match: { mac: '52:54:00:00:00:01' } }\n    \
             b: { match: { mac: 52-54-00-00-00-01, driver: e1000 } }",
        ),
        &[
            "8:17: interface `a` is for this card already (it stands in line 7; tell them apart by `mac` or `path`)",
        ],
    );
    told(
        &file("  interfaces:\n    a: { match: { driver: e1000 } }\n    a: { match: { driver: tulip } }"),
        &["8:5: duplicate key `a` (it stands already in line 7)"],
    );
    told(
        &file(
            "  interfaces:\n    a: { match: { path: '0000:00:03.0' }, addresses: 192.0.2.1/24 }\n    \
             b: { match: { path: '0000:00:04.0' }, addresses: 192.0.2.1/24 }",
        ),
        &["8:54: `192.0.2.1` stands here for the second time (the first is in line 7)"],
    );
}

#[test]
fn routers_that_nothing_leads_to() {
    told(
        &interface("      addresses: [192.0.2.10/24, 198.51.100.10/24]\n      gateways: 203.0.113.1"),
        &[
            "11:17: `203.0.113.1` is in no network of this card (its networks are `192.0.2.0/24`, `198.51.100.0/24`)",
        ],
    );
    told(
        &interface("      addresses: 192.0.2.10/24\n      gateways: 192.0.2.10"),
        &["11:17: `192.0.2.10` is this card's own address (give the address of the router)"],
    );
    told(
        &interface("      addresses: 192.0.2.10/24\n      gateways: [192.0.2.1, 192.0.2.2, '2001:db8::1']"),
        &[
            "11:29: a second default router of IPv4 (a card has one; `routes` lead elsewhere)",
            "11:40: `2001:db8::1` is in no network of this card (the card has no IPv6 address: add one to `addresses`)",
        ],
    );
    told(
        &interface("      dhcp: false\n      gateways: 192.0.2.1"),
        &[
            "7:5: interface `lan` gets no address (give it `addresses`, or let it ask with `dhcp` or `slaac`)",
            "11:17: `192.0.2.1` is in no network of this card (the card has no IPv4 address: add one to `addresses`)",
        ],
    );
    // Where the network is learnt, only the machine will know.
    told(&interface("      gateways: 192.0.2.1"), &[]);
    told(&interface("      addresses: '2001:db8::10/64'\n      gateways: 'fe80::1'"), &[]);
}

#[test]
fn routes_that_lead_nowhere() {
    told(
        &interface(
            "      addresses: 192.0.2.10/24\n      routes:\n        - { to: 0.0.0.0/0, via: 192.0.2.1 }\n        \
             - { to: 10.0.0.0/8, via: '2001:db8::1' }\n        - { to: 10.0.0.0/8, via: 10.0.0.1 }\n        \
             - { via: 192.0.2.1 }",
        ),
        &[
            "12:17: `0.0.0.0/0` is the default route (name its router in `gateways`)",
            "13:34: `2001:db8::1` is not of the family of `10.0.0.0/8` (the router of an IPv4 network has an IPv4 address)",
            "14:17: a second route to `10.0.0.0/8` (the first is in line 13)",
            "14:34: `10.0.0.1` is in no network of this card (its networks are `192.0.2.0/24`)",
            "15:11: this route has no `to`",
        ],
    );
}

#[test]
fn what_is_allowed_and_probably_a_mistake() {
    told(
        &interface("      dhcp: false"),
        &["7:5: interface `lan` gets no address (give it `addresses`, or let it ask with `dhcp` or `slaac`)"],
    );
    let two = "  interfaces:\n    a: { match: { driver: e1000 }, gateways: 192.0.2.1 }\n    \
               b: { match: { driver: tulip }, gateways: 192.0.2.1 }";
    told(
        &file(two),
        &[
            "8:46: interface `a` has a default router of IPv4, too (packets take one of the two ways; keep one, and name \
           networks in `routes`)",
        ],
    );
    told(
        &file("  interfaces: { a: { match: { driver: e1000 }, mtu: 1000 } }"),
        &["6:53: IPv6 needs an `mtu` of at least 1280 (raise it, or say `slaac: false`)"],
    );
    assert!(parse(&file(two)).is_ok());
    told(
        &interface("      addresses: '2001:db8::10/64'\n      mtu: 1000"),
        &["11:12: IPv6 needs an `mtu` of at least 1280 (raise it, or take the IPv6 address away)"],
    );
}
