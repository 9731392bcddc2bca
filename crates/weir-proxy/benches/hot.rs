//! What each piece of the way of a request takes, alone and in memory. `make microbench` runs it; see docs/benchmark.md.
//!
//! Nothing here waits or reads a socket. A piece that is fast here may still be slow in its place, where the caches
//! hold other things: `make profile` looks at the whole. Samples are of many rounds, because a look at the clock takes
//! as long as some of these pieces.

/// The product's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

#[divan::bench_group(sample_size = 1000)]
mod routing {
    //! The look-up of a route. `hot`: the same ten hosts. `scattered`: all hosts, in an order that no cache foresees.

    use std::hint::black_box;

    use divan::Bencher;
    use http::Method;
    use weir_config::model::{Action, HostPattern, PathMatch, PoolId, Route, RouteMatch};
    use weir_proxy::fields::Fields;
    use weir_proxy::route::{RequestView, RouteTable};

    const HOSTS: [usize; 3] = [10, 1_000, 100_000];
    const HOT: usize = 10;
    /// Prime, and so no divisor of the number of hosts.
    const STRIDE: usize = 7919;

    #[divan::bench(args = HOSTS)]
    fn hot(bencher: Bencher<'_, '_>, hosts: usize) {
        find_each(bencher, &exact_hosts(hosts), &names(hosts, "host")[..HOT], "/index.html");
    }

    #[divan::bench(args = HOSTS)]
    fn scattered(bencher: Bencher<'_, '_>, hosts: usize) {
        find_each(bencher, &exact_hosts(hosts), &names(hosts, "host"), "/index.html");
    }

    #[divan::bench(args = HOSTS)]
    fn scattered_wildcards(bencher: Bencher<'_, '_>, hosts: usize) {
        let patterns = names(hosts, "host").into_iter().map(|name| HostPattern::Wildcard(format!(".{name}")));
        let routes: Vec<Route> = patterns.map(|pattern| route(vec![pattern], None)).collect();
        find_each(bencher, &routes, &names(hosts, "www.host"), "/");
    }

    /// The last of many prefixes that one host has.
    #[divan::bench(args = [10, 10_000])]
    fn prefixes_of_a_host(bencher: Bencher<'_, '_>, prefixes: usize) {
        let host = || vec![HostPattern::Exact("a.test".into())];
        let routes = (0..prefixes).map(|n| route(host(), Some(format!("/service/{n}/"))));
        let path = format!("/service/{}/item/1", prefixes - 1);
        find_each(bencher, &routes.collect::<Vec<_>>(), &["a.test".into()], &path);
    }

    /// What an attacker may send to a table that has wildcards: a head's worth of labels and of slashes.
    #[divan::bench]
    fn hostile(bencher: Bencher<'_, '_>) {
        let wildcard = vec![HostPattern::Wildcard(".a.example.com".into())];
        let routes = [route(wildcard, None), route(vec![], Some("/".into()))];
        find_each(bencher, &routes, &["a.".repeat(4000)], &"/".repeat(8000));
    }

    fn names(count: usize, first_label: &str) -> Vec<String> {
        (0..count).map(|n| format!("{first_label}{n}.example.com")).collect()
    }

    fn exact_hosts(count: usize) -> Vec<Route> {
        let hosts = names(count, "host").into_iter().map(HostPattern::Exact);
        hosts.map(|host| route(vec![host], Some("/".into()))).collect()
    }

    fn route(hosts: Vec<HostPattern>, prefix: Option<String>) -> Route {
        let path = prefix.map(PathMatch::Prefix);
        Route {
            matches: RouteMatch { hosts, path, ..RouteMatch::default() },
            action: Action::Pool(PoolId(0)),
        }
    }

    fn find_each(bencher: Bencher<'_, '_>, routes: &[Route], hosts: &[String], path: &str) {
        let table = RouteTable::new(routes);
        let fields = Fields::default();
        let mut at = 0;
        bencher.bench_local(|| {
            at = (at + STRIDE) % hosts.len();
            let request = RequestView {
                host: &hosts[at],
                path,
                query: None,
                method: &Method::GET,
                fields: &fields,
                source: [192, 0, 2, 1].into(),
                alpn: &[],
            };
            table.find(black_box(&request)).expect("every host has a route").0
        });
    }
}

#[divan::bench_group(sample_size = 1000)]
mod balancing {
    //! The pick of a server, each time for another client, and what a worker does when health has changed.

    use std::net::{IpAddr, Ipv4Addr};

    use divan::Bencher;
    use http::HeaderName;
    use weir_config::model::Balance;
    use weir_proxy::balancer::{Balancer, Members, PickKey, SHARE_OF_WEIGHT, identity, prepare};
    use weir_proxy::fields::Fields;

    const FIELD: HeaderName = HeaderName::from_static("x-tenant");
    const SERVERS: [usize; 2] = [3, 10_000];
    /// How many different requests there are.
    const REQUESTS: u32 = 1000;
    const ALL: [&str; 7] =
        ["round_robin", "least_connections", "random_two", "source_hash", "uri_hash", "header_hash", "first"];

    #[divan::bench(args = ALL, consts = SERVERS)]
    fn pick<const N: usize>(bencher: Bencher<'_, '_>, name: &str) {
        pick_each(bencher, name, &Pool::new(N, 0));
    }

    /// Every second server is at its `max_connections`.
    #[divan::bench(args = ALL, consts = SERVERS)]
    fn pick_with_half_of_them_full<const N: usize>(bencher: Bencher<'_, '_>, name: &str) {
        pick_each(bencher, name, &Pool::new(N, 2));
    }

    #[divan::bench(args = ALL, consts = SERVERS, sample_size = 10)]
    fn members_changed<const N: usize>(bencher: Bencher<'_, '_>, name: &str) {
        let pool = Pool::new(N, 0);
        let mut balancer = balancer(name, &pool);
        bencher.bench_local(|| balancer.members_changed(&pool));
    }

    fn pick_each(bencher: Bencher<'_, '_>, name: &str, pool: &Pool) {
        let mut balancer = balancer(name, pool);
        let fields = (0..REQUESTS).map(|n| [(FIELD.as_str(), &*n.to_string())].into_iter().collect());
        let fields: Vec<Fields> = fields.collect();
        let uris: Vec<String> = (0..REQUESTS).map(|n| format!("/item/{n}?page=1")).collect();
        let mut at = 0;
        bencher.bench_local(|| {
            at = (at + 1) % REQUESTS;
            let source = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + at));
            let (uri, fields) = (&uris[at as usize], &fields[at as usize]);
            balancer.pick(&PickKey { source, uri, fields }, pool)
        });
    }

    fn balancer(name: &str, pool: &Pool) -> Box<dyn Balancer> {
        let balance = match name {
            "round_robin" => Balance::RoundRobin,
            "least_connections" => Balance::LeastConnections,
            "random_two" => Balance::RandomTwo,
            "source_hash" => Balance::SourceHash,
            "uri_hash" => Balance::UriHash,
            "header_hash" => Balance::HeaderHash(FIELD),
            "first" => Balance::First,
            other => panic!("no balancer is named {other}"),
        };
        prepare(&balance, pool).balancer(pool, 1)
    }

    /// Idle servers of the same weight.
    struct Pool {
        identities: Vec<u64>,
        /// Every how manyth takes nothing more; 0 for none.
        full: usize,
    }

    impl Pool {
        fn new(servers: usize, full: usize) -> Self {
            let names = (0..servers).map(|n| format!("10.0.{}.{}:8080", n / 256, n % 256));
            Self { identities: names.map(|name| identity(&name)).collect(), full }
        }
    }

    impl Members for Pool {
        fn len(&self) -> usize {
            self.identities.len()
        }
        fn share(&self, _member: usize) -> u32 {
            SHARE_OF_WEIGHT
        }
        fn in_flight(&self, member: usize) -> u32 {
            (member % 5) as u32
        }
        fn admits(&self, member: usize) -> bool {
            self.full == 0 || member % self.full != 1
        }
        fn identity(&self, member: usize) -> u64 {
            self.identities[member]
        }
        fn ring_weight(&self, _member: usize) -> u32 {
            1
        }
    }
}

#[divan::bench_group(sample_size = 500)]
mod heads {
    //! A browser's request and a server's answer: judged, parsed, rewritten.

    use std::hint::black_box;

    use bytes::Bytes;
    use divan::Bencher;
    use http::Method;
    use weir_config::model;
    use weir_proxy::bench::{Date, Request, Response};
    use weir_proxy::framing::{HeadLimits, RequestFraming, ResponseFraming};

    const LIMITS: HeadLimits = HeadLimits { head_bytes: 16 * 1024, fields: 100, uri_bytes: 8 * 1024 };

    const REQUEST: &[u8] = b"GET /catalogue/items/1234567?sort=price&page=2 HTTP/1.1\r\n\
        Host: www.example.com\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
        Accept-Language: en-US,en;q=0.5\r\n\
        Accept-Encoding: gzip, deflate, br\r\n\
        Referer: https://www.example.com/catalogue\r\n\
        Cookie: session=4b1f8a2c9d3e4f5a6b7c8d9e0f1a2b3c; theme=dark\r\n\
        Connection: keep-alive\r\n\
        Upgrade-Insecure-Requests: 1\r\n\
        X-Request-Id: 01J9ZK3V7M8N5P2Q4R6S8T0W2Y\r\n\r\n";

    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 19:43:00 GMT\r\n\
        Content-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\
        Cache-Control: private, max-age=0\r\nVary: Accept-Encoding\r\n\r\n";

    #[divan::bench]
    fn judge_request(bencher: Bencher<'_, '_>) {
        let mut guard = RequestFraming::new(LIMITS, 1 << 20);
        bencher.bench_local(|| guard.advance(black_box(REQUEST)).expect("a good request"));
    }

    #[divan::bench]
    fn judge_and_parse_request(bencher: Bencher<'_, '_>) {
        let mut guard = RequestFraming::new(LIMITS, 1 << 20);
        bencher.bench_local(|| request(&mut guard, black_box(REQUEST)));
    }

    #[divan::bench]
    fn judge_response(bencher: Bencher<'_, '_>) {
        let mut guard = ResponseFraming::new(LIMITS);
        bencher.bench_local(|| {
            guard.expect(&Method::GET);
            guard.advance(black_box(RESPONSE)).expect("a good response")
        });
    }

    #[divan::bench]
    fn judge_and_parse_response(bencher: Bencher<'_, '_>) {
        let mut guard = ResponseFraming::new(LIMITS);
        bencher.bench_local(|| response(&mut guard, black_box(RESPONSE)));
    }

    /// Another parser, and one that judges less, to compare with.
    #[divan::bench]
    fn httparse_request(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            httparse::Request::new(&mut headers).parse(black_box(REQUEST)).expect("a good request")
        });
    }

    #[divan::bench]
    fn rewrite_request(bencher: Bencher<'_, '_>) {
        let head = request(&mut RequestFraming::new(LIMITS, 1 << 20), REQUEST);
        let (listener, server) = (listener(), server());
        let peer = ([192, 0, 2, 7], 40_000).into();
        let mut out = Vec::with_capacity(4096);
        bencher.with_inputs(|| head.clone()).bench_local_refs(|head| {
            out.clear();
            head.forward(&listener, peer, &server, &mut out);
            out.len()
        });
    }

    #[divan::bench]
    fn rewrite_response(bencher: Bencher<'_, '_>) {
        let head = response(&mut ResponseFraming::new(LIMITS), RESPONSE);
        let (listener, date) = (listener(), Date::default());
        let mut out = Vec::with_capacity(4096);
        bencher.with_inputs(|| head.clone()).bench_local_refs(|head| {
            out.clear();
            head.forward(&listener, &date, &mut out);
            out.len()
        });
    }

    /// With the copy to a piece of memory of its own that a head begins its life with.
    fn request(guard: &mut RequestFraming, bytes: &[u8]) -> Request {
        let passed = guard.advance(bytes).expect("a good request").pass;
        let head = Bytes::copy_from_slice(&bytes[..passed]);
        Request::parse(head, guard.take_fields()).expect("judged")
    }

    fn response(guard: &mut ResponseFraming, bytes: &[u8]) -> Response {
        guard.expect(&Method::GET);
        let passed = guard.advance(bytes).expect("a good response").pass;
        let head = Bytes::copy_from_slice(&bytes[..passed]);
        Response::parse(head, guard.take_fields()).expect("judged")
    }

    fn listener() -> model::Listener {
        model::Listener {
            name: "web".into(),
            bind: vec![],
            protocol: model::Protocol::Http,
            tls: None,
            https_redirect: false,
            hsts: None,
            proxy_protocol: model::ProxyHeader::Refused,
            subject_fields: vec![],
            trusted_proxies: vec![],
            forwarded: model::ForwardedFields::default(),
            timeouts: model::ListenerTimeouts::default(),
            limits: model::ListenerLimits::default(),
            udp: model::Udp::default(),
            http2: model::Http2::default(),
            routes: vec![],
        }
    }

    fn server() -> model::ServerAddress {
        model::ServerAddress { host: model::Host::Name("origin.example".into()), port: 81 }
    }
}

#[divan::bench_group(sample_size = 500)]
mod access_log {
    //! A record, formatted and, when a buffer is full, handed to the thread that writes; to nowhere.

    use std::time::{Duration, SystemTime};

    use divan::Bencher;
    use http::Version;
    use weir_config::model::{AccessLogFormat, AccessLogTarget, Log};
    use weir_proxy::access_log::{Kind, Output, Record, Times, Writer};

    #[divan::bench]
    fn json(bencher: Bencher<'_, '_>) {
        log_each(bencher, AccessLogFormat::Json);
    }

    #[divan::bench]
    fn common(bencher: Bencher<'_, '_>) {
        log_each(bencher, AccessLogFormat::Common);
    }

    fn log_each(bencher: Bencher<'_, '_>, format: AccessLogFormat) {
        let log = Log {
            access: AccessLogTarget::File("/dev/null".into()),
            access_format: format,
            // Room for whatever the writer has not taken yet, for a line that is dropped costs less.
            access_buffer_bytes: 1 << 30,
            ..Log::default()
        };
        let output = Output::open(&log.access).expect("there is a /dev/null");
        let (_writer, sinks) = Writer::start(&log, output, 1).expect("a thread");
        let record = record();
        bencher.bench_local(|| sinks[0].log(&record));
    }

    fn record() -> Record<'static> {
        Record {
            kind: Kind::Http,
            started: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            client: ([192, 0, 2, 1], 40_000).into(),
            listener: "web",
            method: "GET",
            host: Some(b"www.example.com"),
            target: b"/catalogue/items/1234567?sort=price&page=2",
            version: Version::HTTP_11,
            status: 200,
            request_bytes: 0,
            response_bytes: 12_345,
            pool: Some("api"),
            server: Some("a1"),
            upstream: Some(([10, 0, 0, 1], 8080).into()),
            tls: None,
            retries: 0,
            times: Times {
                queue: None,
                connect: None,
                first_byte: Some(Duration::from_micros(1_500)),
                total: Some(Duration::from_micros(1_700)),
            },
            end: *b"--",
            cause: None,
            user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            referer: Some(b"https://www.example.com/catalogue"),
        }
    }
}

#[divan::bench_group(sample_size = 100_000, threads = [1, 2])]
mod contention {
    //! What workers share of one server: by one worker alone, and by two that do nothing else. Times are each worker's.

    use std::sync::atomic::{AtomicUsize, Ordering};

    use divan::Bencher;
    use weir_proxy::bench::SharedServer;

    #[divan::bench]
    fn one_server(bencher: Bencher<'_, '_>) {
        let server = SharedServer::new(2);
        bencher.bench(|| server.exchange());
    }

    /// As many servers as workers, each worker with one of them.
    #[divan::bench]
    fn a_server_each(bencher: Bencher<'_, '_>) {
        let servers = [SharedServer::new(2), SharedServer::new(2)];
        bencher.bench(|| servers[worker() % 2].exchange());
    }

    /// A number for each thread, in the order in which they ask.
    fn worker() -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed));
        MINE.with(|mine| *mine)
    }
}
