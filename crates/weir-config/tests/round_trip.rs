//! Every valid configuration is printed as a file that means the same.

#![expect(clippy::unwrap_used, reason = "what makes values for tests is a test")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use weir_config::model::*;
use weir_config::{Color, parse, to_yaml};

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![1_u64..5000, (1_u64..=10_080).prop_map(|minutes| minutes * 60_000)]
        .prop_map(Duration::from_millis)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9._:@\\[\\]-]{1,12}",
        // Names that a careless printer would turn into something else.
        select(vec![
            "null", "true", "no", "1", "1.5", "0x1f", "~", "-", "a:", "- ", "[a]", "@a", "1e5", "...", "---",
            "on"
        ])
        .prop_map(|name| name.replace([' ', '~'], "_")),
    ]
}

fn host() -> impl Strategy<Value = String> {
    "[a-z0-9_]([a-z0-9-]{0,5}[a-z0-9])?(\\.[a-z]([a-z0-9-]{0,5}[a-z0-9])?){1,2}"
}

/// Any text, with what is hard to print in it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}",
        "(?s).{0,20}",
        "[ -~\\n\\t\\r\"'\\\\#:{}\\[\\]&*!|>%@`-]{0,12}",
        select(vec![
            "",
            " ",
            "null",
            "yes",
            "5",
            "\u{feff}",
            "\u{85}\u{2028}\u{7f}",
            "a: b",
            "a #b",
            "\u{0}",
            "😀"
        ])
        .prop_map(String::from),
    ]
}

fn path() -> impl Strategy<Value = String> {
    "/[!-\"$->@-~]{0,10}"
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
    ]
}

fn net() -> impl Strategy<Value = ipnet::IpNet> {
    (ip(), 0_u8..=32).prop_map(|(ip, prefix)| ipnet::IpNet::new(ip, prefix).unwrap().trunc())
}

fn pattern() -> impl Strategy<Value = Pattern> {
    select(vec!["^/a$", "[0-9]+", "a|b", "\\.png$", "# x", ": "]).prop_map(|text| Pattern::new(text).unwrap())
}

fn field_test() -> impl Strategy<Value = FieldTest> {
    prop_oneof![
        text().prop_map(FieldTest::Exact),
        any::<bool>().prop_map(FieldTest::Present),
        pattern().prop_map(FieldTest::Regex),
    ]
}

fn route_match() -> impl Strategy<Value = RouteMatch> {
    let host_pattern = prop_oneof![
        host().prop_map(HostPattern::Exact),
        ip().prop_map(|ip| HostPattern::Exact(match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        })),
        host().prop_map(|host| HostPattern::Wildcard(format!(".{host}"))),
    ];
    let path = prop_oneof![
        Just(None),
        path().prop_map(|path| Some(PathMatch::Exact(path))),
        path().prop_map(|path| Some(PathMatch::Prefix(path))),
        pattern().prop_map(|pattern| Some(PathMatch::Regex(pattern))),
    ];
    let method =
        select(vec![http::Method::GET, http::Method::POST, http::Method::from_bytes(b"PURGE").unwrap()]);
    let headers = proptest::collection::btree_map("x-[a-z]{1,3}", field_test(), 0..3).prop_map(|tests| {
        let test = |(name, test): (String, FieldTest)| FieldMatch { name: name.parse().unwrap(), test };
        tests.into_iter().map(test).collect()
    });
    let query = proptest::collection::btree_map(".{1,5}", field_test(), 0..3)
        .prop_map(|tests| tests.into_iter().map(|(name, test)| FieldMatch { name, test }).collect());
    (vec(host_pattern, 0..3), path, vec(method, 0..3), headers, query, vec(net(), 0..3)).prop_map(
        |(hosts, path, methods, headers, query, sources)| RouteMatch {
            hosts,
            path,
            methods,
            headers,
            query,
            sources,
            ..RouteMatch::default()
        },
    )
}

/// What a connection or a flow can be matched by, in place of what `route` has.
fn for_protocol(route: Route, protocol: Protocol, pools: usize) -> Option<Route> {
    let (sni, alpn) = match protocol {
        Protocol::Http => return Some(route),
        Protocol::Tcp => (route.matches.hosts, vec!["h2".into(); route.matches.methods.len()]),
        Protocol::Udp => (Vec::new(), Vec::new()),
    };
    let matches = RouteMatch { sni, alpn, sources: route.matches.sources, ..RouteMatch::default() };
    (pools > 0).then_some(Route { matches, action: Action::Pool(PoolId(0)) })
}

fn action(pools: usize) -> impl Strategy<Value = Action> {
    let redirect = (
        proptest::option::of(select(vec!["http", "https"])),
        proptest::option::of(host()),
        proptest::option::of(1_u16..),
        path(),
        select(vec![301_u16, 302, 303, 307, 308]),
    )
        .prop_map(|(scheme, host, port, path, status)| {
            let path = (scheme.is_none() && host.is_none() && port.is_none()).then_some(path);
            Redirect { scheme, host, port, path, status: http::StatusCode::from_u16(status).unwrap() }
        })
        .prop_map(Action::Redirect);
    let respond =
        (200_u16..=599, text(), select(vec!["text/plain; charset=utf-8", "application/json", "a/b"]))
            .prop_map(|(status, body, content_type)| {
                let status = http::StatusCode::from_u16(status).unwrap();
                Action::Respond(Respond { status, body, content_type: content_type.into() })
            });
    let pool = (0..pools.max(1)).prop_map(|index| Action::Pool(PoolId(index)));
    if pools == 0 {
        prop_oneof![redirect, respond].boxed()
    } else {
        prop_oneof![redirect, respond, pool].boxed()
    }
}

fn limits() -> impl Strategy<Value = ListenerLimits> {
    (1024_usize..=1 << 20, 8_usize..=1000, 16_usize..=1 << 20, 0_u64..=1 << 50, 1_u64..1_000_000).prop_map(
        |(head, request_fields, uri, request_body_bytes, requests_per_connection)| ListenerLimits {
            request_head_bytes: head,
            request_fields,
            uri_bytes: uri.min(head),
            request_body_bytes,
            requests_per_connection,
        },
    )
}

fn http2() -> impl Strategy<Value = Http2> {
    let sizes = (1024_u32..=1 << 20, (64_u32 << 10)..=1 << 20, proptest::option::of(1024_u32..=1 << 20));
    (any::<bool>(), sizes, vec(1_u32..=100, 8)).prop_map(|(cleartext, sizes, frames)| Http2 {
        cleartext,
        streams: frames[0],
        stream_window_bytes: sizes.0,
        connection_window_bytes: sizes.1,
        header_list_bytes: sizes.2,
        header_bytes: 1 << 20,
        resets: frames[1],
        pings: frames[2],
        settings: frames[3],
        empty_data: frames[4],
        continuations: frames[5],
        priorities: frames[6],
        window_updates: frames[7],
        unknown: 1_000_000,
    })
}

fn listener(pools: usize) -> impl Strategy<Value = Listener> {
    let timeouts = (time(), time(), time(), time(), time()).prop_map(
        |(tls_handshake, request_head, body_idle, keep_alive, tunnel_idle)| ListenerTimeouts {
            tls_handshake,
            request_head,
            body_idle,
            keep_alive,
            tunnel_idle,
        },
    );
    let forwarded = any::<(bool, bool, bool)>().prop_map(|(x_forwarded, forwarded, via)| ForwardedFields {
        x_forwarded,
        forwarded,
        via,
    });
    let routes = vec((route_match(), action(pools)), 0..4)
        .prop_map(|routes| routes.into_iter().map(|(matches, action)| Route { matches, action }).collect());
    (
        (1_usize..3, vec(net(), 0..3), forwarded),
        prop_oneof![Just(ListenerTimeouts::default()), timeouts],
        prop_oneof![Just(ListenerLimits::default()), limits()],
        // Its `header_bytes` is that of any `header_list`, which is what makes it whole.
        http2(),
        routes,
        (select(vec![Protocol::Http, Protocol::Tcp, Protocol::Udp]), any::<bool>()),
        (time(), 1_u32..=1_000_000, proptest::option::of(1_u32..=1_000_000)),
        (proptest::option::of(listener_tls()), any::<bool>(), proptest::option::of(1_u64..87_600 * 3600)),
    )
        .prop_map(
            move |((binds, trusted_proxies, forwarded), timeouts, limits, http2, routes, of, udp, secure)| {
                let (protocol, proxies) = of;
                let (tls, redirect, hsts) = secure;
                let tls = tls.filter(|_| protocol == Protocol::Http);
                let http = protocol == Protocol::Http;
                let routes: Vec<Route> = routes;
                let udp = Udp { idle: udp.0, flows: udp.1, answers: udp.2 };
                Listener {
                    name: "".into(),
                    // Filled in when all are there: names and binds are unique.
                    bind: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); binds],
                    protocol,
                    proxy_protocol: if proxies && protocol != Protocol::Udp && !trusted_proxies.is_empty() {
                        ProxyHeader::Required
                    } else {
                        ProxyHeader::Refused
                    },
                    https_redirect: redirect && tls.is_none() && http,
                    hsts: hsts.filter(|_| http).map(Duration::from_secs),
                    subject_fields: vec![],
                    tls,
                    trusted_proxies,
                    forwarded,
                    timeouts,
                    limits,
                    http2,
                    udp: if protocol == Protocol::Udp { udp } else { Udp::default() },
                    routes: routes.into_iter().filter_map(|r| for_protocol(r, protocol, pools)).collect(),
                }
            },
        )
}

fn listener_tls() -> impl Strategy<Value = ListenerTls> {
    let file = || "/[a-z /]{1,10}".prop_map(PathBuf::from);
    let some = move || proptest::option::of(file());
    let certificates = vec((file(), some(), some()), 1..3).prop_map(|files| {
        files
            .into_iter()
            .map(|(certificate, key, ocsp)| CertificateFiles { certificate, key, ocsp })
            .collect()
    });
    let mode = select(vec![
        ClientCertificateMode::None,
        ClientCertificateMode::Optional,
        ClientCertificateMode::Required,
    ]);
    let header = proptest::option::of(Just(http::HeaderName::from_static("x-subject")));
    let clients = (mode, file(), some(), header).prop_map(|(mode, ca, crl, header)| ClientCertificates {
        mode,
        ca,
        crl,
        header,
    });
    (certificates, any::<(bool, bool)>(), proptest::option::of(clients)).prop_map(
        |(certificates, (strict_sni, new), client_certificates)| ListenerTls {
            certificates,
            strict_sni,
            min_version: if new { TlsVersion::V1_3 } else { TlsVersion::V1_2 },
            client_certificates,
            ..ListenerTls::default()
        },
    )
}

fn pool_tls() -> impl Strategy<Value = PoolTls> {
    let some = || proptest::option::of("/[a-z /]{1,10}".prop_map(PathBuf::from));
    (any::<bool>(), some(), proptest::option::of(host()), proptest::option::of((some(), some()))).prop_map(
        |(verified, ca, server_name, own)| PoolTls {
            verify: if verified { Verify::Full } else { Verify::None },
            ca,
            server_name,
            key: own.clone().and_then(|(certificate, key)| certificate.and(key)),
            certificate: own.and_then(|(certificate, _)| certificate),
        },
    )
}

fn server() -> impl Strategy<Value = Server> {
    let host = prop_oneof![ip().prop_map(Host::Ip), host().prop_map(Host::Name)];
    (host, 1_u16.., 0_u16..=256, select(vec![1_u32, 200, 65_535, 1_000_000]), any::<(bool, bool)>()).prop_map(
        |(host, port, weight, max_connections, (backup, all))| {
            let address = ServerAddress { host, port };
            Server {
                name: address.to_string().into(),
                address,
                weight: Weight::new(weight).unwrap(),
                max_connections,
                backup,
                expand: if all { Expand::All } else { Expand::First },
            }
        },
    )
}

fn check() -> impl Strategy<Value = Check> {
    let http = (
        path(),
        proptest::option::of(host()),
        vec((100_u16..=599, 0_u16..200), 1..3),
        proptest::option::of(text()),
    )
        .prop_map(|(path, host, ranges, body_contains)| {
            let ranges = ranges.into_iter().map(|(low, more)| (low, (low + more).min(599))).collect();
            CheckKind::Http(HttpCheck {
                method: http::Method::HEAD,
                path,
                host,
                protocol: Some(PoolProtocol::Http1),
                expect: StatusRanges(ranges),
                body_contains,
            })
        });
    let grpc = (text(), proptest::option::of(host()))
        .prop_map(|(service, host)| CheckKind::Grpc(GrpcCheck { service, host }));
    let kind = prop_oneof![
        Just(CheckKind::Tcp),
        Just(CheckKind::Http(HttpCheck::default())),
        Just(CheckKind::Grpc(GrpcCheck::default())),
        http,
        grpc
    ];
    (
        kind,
        time(),
        proptest::option::of(time()),
        time(),
        1_u16..=1000,
        0_u8..=50,
        proptest::option::of(1_u16..),
    )
        .prop_map(|(kind, interval, changing, timeout, rise, jitter_percent, port)| Check {
            kind,
            interval,
            interval_changing: changing.unwrap_or(interval / 2),
            timeout,
            rise,
            fall: 3,
            jitter_percent,
            port,
            tls: false,
            proxy_protocol: ProxyVersion::None,
        })
}

fn pool() -> impl Strategy<Value = Pool> {
    let balance = select(vec![
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::RandomTwo,
        Balance::SourceHash,
        Balance::UriHash,
        Balance::HeaderHash(http::HeaderName::from_static("x-user")),
        Balance::First,
    ]);
    let timeouts = (time(), time(), time(), time(), time(), time()).prop_map(
        |(connect, continue_wait, response, body_idle, queue, keep_alive)| PoolTimeouts {
            connect,
            continue_wait,
            response,
            body_idle,
            queue,
            keep_alive,
        },
    );
    let limits = (0_u32..=1_000_000, 0_u32..=65_535, 1024_usize..=1 << 20, 8_usize..=1000).prop_map(
        |(queue, idle_connections, response_head_bytes, response_fields)| PoolLimits {
            queue,
            idle_connections,
            response_head_bytes,
            response_fields,
        },
    );
    let http2 = (1_u32..=65_535, 1_u32..=10_000, 16_usize << 10..=16 << 20).prop_map(
        |(connections, streams, stream_window_bytes)| PoolHttp2 { connections, streams, stream_window_bytes },
    );
    let protocol = select(vec![PoolProtocol::Http1, PoolProtocol::Http2]);
    let retries =
        (0_u8..=10, 0_u8..=100).prop_map(|(attempts, budget_percent)| Retries { attempts, budget_percent });
    let ejection = (0_u32..10, time(), 0_u8..=100).prop_map(|(failures, duration, max_percent)| Ejection {
        failures,
        duration,
        max_percent,
    });
    let servers = proptest::collection::btree_map(name(), server(), 1..5);
    let slow_start = prop_oneof![Just(Duration::ZERO), time()];
    (
        (
            balance,
            servers,
            any::<bool>(),
            proptest::option::of(check()),
            slow_start,
            proptest::option::of(pool_tls()),
        ),
        prop_oneof![Just(PoolTimeouts::default()), timeouts],
        prop_oneof![Just(PoolLimits::default()), limits],
        (protocol, http2),
        retries,
        (ejection, select(vec![ProxyVersion::None, ProxyVersion::V1, ProxyVersion::V2])),
    )
        .prop_map(
            |(
                (balance, servers, named, check, slow_start, tls),
                timeouts,
                limits,
                (protocol, http2),
                retries,
                (ejection, proxy_protocol),
            )| {
                let proxy_protocol = match protocol {
                    PoolProtocol::Http1 => proxy_protocol,
                    PoolProtocol::Http2 => ProxyVersion::None, // clients share connections
                };
                let mut servers: Vec<_> = servers
                    .into_iter()
                    .map(|(name, server)| if named { Server { name: name.into(), ..server } } else { server })
                    .collect();
                servers.sort_by(|a, b| a.name.cmp(&b.name));
                servers.dedup_by(|a, b| a.name == b.name);
                // Shared connections are nobody's.
                let proxy_protocol =
                    if protocol == PoolProtocol::Http2 { ProxyVersion::None } else { proxy_protocol };
                Pool {
                    name: "".into(),
                    protocol,
                    balance,
                    servers,
                    check: check.map(|check| Check { tls: tls.is_some(), proxy_protocol, ..check }),
                    tls,
                    slow_start,
                    timeouts,
                    limits,
                    http2,
                    retries,
                    ejection,
                    proxy_protocol,
                }
            },
        )
}

fn process() -> impl Strategy<Value = (Workers, Option<Admin>, Log, Resolver, Limits, Timeouts)> {
    let workers = prop_oneof![
        Just(Workers::Auto),
        (1_u16..=1024).prop_map(|count| Workers::Count(NonZeroU16::new(count).unwrap()))
    ];
    let admin_tls = proptest::option::of(("/[a-z]{1,10}", proptest::option::of("/[a-z]{1,10}")).prop_map(
        |(certificate, key)| CertificateFiles {
            certificate: certificate.into(),
            key: key.map(Into::into),
            ocsp: None,
        },
    ));
    let admin = (ip(), any::<u16>(), "/[a-z /]{1,10}", admin_tls).prop_map(|(ip, port, file, tls)| Admin {
        bind: (ip, port).into(),
        token_file: Some(file.into()),
        tls,
    });
    let level = select(vec![LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug]);
    let access = prop_oneof![
        Just(AccessLogTarget::Off),
        Just(AccessLogTarget::Stdout),
        "/[^\\x00]{1,10}".prop_map(|path| AccessLogTarget::File(path.into())),
    ];
    let format = select(vec![AccessLogFormat::Json, AccessLogFormat::Common]);
    let log = (level, access, format, 64_usize << 10..64 << 20).prop_map(
        |(level, access, access_format, access_buffer_bytes)| Log {
            level,
            access,
            access_format,
            access_buffer_bytes,
        },
    );
    let resolver = (vec((ip(), 1_u16..), 0..3), time(), time()).prop_map(|(servers, hold, timeout)| {
        Resolver { servers: servers.into_iter().map(SocketAddr::from).collect(), hold, timeout }
    });
    let sessions = prop_oneof![Just(SessionLimit::Auto), (1_u32..).prop_map(SessionLimit::Count)];
    (
        workers,
        prop_oneof![Just(None), Just(Some(Admin::default())), admin.prop_map(Some)],
        prop_oneof![Just(Log::default()), log],
        prop_oneof![Just(Resolver::default()), resolver],
        (sessions, 1_u64 << 20..1 << 40)
            .prop_map(|(sessions, http2_header_bytes)| Limits { sessions, http2_header_bytes }),
        time().prop_map(|drain| Timeouts { drain }),
    )
}

/// A card that only its place tells from others, in a network of its own.
fn interface() -> impl Strategy<Value = Interface> {
    let v4 = (1_u8..=254, 8_u8..=30).prop_map(|(host, length)| {
        let network = ipnet::IpNet::new(Ipv4Addr::new(10, 0, 0, 1).into(), length).unwrap();
        let ip = Ipv4Addr::new(10, 0, 0, if length > 24 { 1 } else { host });
        ipnet::IpNet::new(ip.into(), network.prefix_len()).unwrap()
    });
    let v6 = (1_u16.., 32_u8..=112).prop_map(|(host, length)| {
        ipnet::IpNet::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host).into(), length).unwrap()
    });
    let mac = proptest::option::of(any::<[u8; 6]>().prop_map(|mut bytes| {
        bytes[0] = (bytes[0] & !1) | 2;
        MacAddress(bytes)
    }));
    let driver = proptest::option::of(select(vec!["virtio_net", "8139cp", "ne2k-pci"]).prop_map(Into::into));
    let mtu = proptest::option::of(1280_u16..=9216);
    let address = (proptest::option::of(v4), proptest::option::of(v6));
    (mac, driver, any::<bool>(), any::<bool>(), address, mtu).prop_map(
        |(mac, driver, dhcp, slaac, (v4, v6), mtu)| Interface {
            name: "".into(),
            matches: InterfaceMatch { mac, path: None, driver },
            dhcp,
            slaac,
            addresses: v4.into_iter().chain(v6).collect(),
            gateways: vec!["fe80::1".parse().unwrap()],
            routes: vec![InterfaceRoute {
                to: "2001:db8:7::/48".parse().unwrap(),
                via: "fe80::2".parse().unwrap(),
            }],
            mtu,
        },
    )
}

fn system() -> impl Strategy<Value = System> {
    let clock = (vec(prop_oneof![host(), Just("192.0.2.123".into())], 0..3), 0_u64..600_000);
    let servers =
        proptest::collection::btree_set((1_u8..=250).prop_map(|n| IpAddr::from([192, 0, 2, n])), 0..3);
    let interfaces = proptest::collection::btree_map(name(), interface(), 0..4);
    (proptest::option::of("[a-z]([a-z0-9-]{0,5}[a-z0-9])?"), interfaces, servers, clock).prop_map(
        |(hostname, interfaces, name_servers, (servers, wait))| {
            let named = interfaces.into_iter().enumerate().map(|(index, (name, mut interface))| {
                // A card is given to one, and so is an address.
                interface.matches.mac = interface.matches.mac.map(|MacAddress(mut bytes)| {
                    bytes[5] = index as u8;
                    MacAddress(bytes)
                });
                interface.matches.path = Some(format!("0000:00:{index:02x}.0").into());
                if index > 0 {
                    interface.addresses.clear();
                }
                Interface { name: name.into(), ..interface }
            });
            System {
                hostname: hostname.map(Into::into),
                interfaces: named.collect(),
                name_servers: name_servers.into_iter().collect(),
                time: Time {
                    servers: servers.into_iter().map(Into::into).collect(),
                    wait: Duration::from_millis(wait),
                },
            }
        },
    )
}

fn config() -> impl Strategy<Value = Config> {
    let pools = proptest::collection::btree_map(name(), pool(), 0..4);
    let both = pools.prop_flat_map(|pools| {
        let count = pools.len();
        (Just(pools), proptest::collection::btree_map(name(), listener(count), 0..3))
    });
    (process(), both, any::<bool>(), system()).prop_map(
        |(process, (pools, listeners), watch_config, system)| {
            let (workers, admin, log, resolver, limits, timeouts) = process;
            let mut port = 10_000;
            // The header of any is kept for it by all.
            let clients = listeners
                .values()
                .filter_map(|l| l.tls.as_ref()?.client_certificates.as_ref()?.header.clone());
            let subject_fields: Vec<_> = clients.take(1).collect();
            let listeners = listeners
                .into_iter()
                .map(|(name, mut listener)| {
                    for bind in &mut listener.bind {
                        bind.set_port(port);
                        port += 1;
                    }
                    listener.subject_fields.clone_from(&subject_fields);
                    Listener { name: name.into(), ..listener }
                })
                .collect();
            let mut pools: Vec<_> =
                pools.into_iter().map(|(name, pool)| Pool { name: name.into(), ..pool }).collect();
            // The pool that connections and flows go to, which hold no request and have no beginning.
            if let Some(first) = pools.first_mut() {
                first.balance = Balance::SourceHash;
                first.proxy_protocol = ProxyVersion::None;
                first.tls = None;
                if let Some(check) = &mut first.check {
                    check.proxy_protocol = ProxyVersion::None;
                    check.tls = false;
                }
            }
            Config { workers, admin, log, resolver, limits, timeouts, watch_config, system, listeners, pools }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_the_same(config in config()) {
        let text = to_yaml(&config);
        match parse(&text) {
            Ok(parsed) => prop_assert_eq!(parsed.config, config, "\n{}", text),
            Err(found) => prop_assert!(false, "{}\n{}", found.render("printed", &text, Color::Never), text),
        }
    }
}
