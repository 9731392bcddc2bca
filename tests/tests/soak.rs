//! Traffic while everything around it changes: not one request may fail.
//!
//! `WEIR_SOAK_SECONDS` says for how long, 60 unless told otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_tests::{Client, Origin, Weir, eventually, one_pool};

fn seconds() -> u64 {
    std::env::var("WEIR_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// Clients that keep their connections and never stop asking.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

/// So that the clients leave the machine to what they test: some thousand requests a second in all.
const PAUSE: Duration = Duration::from_millis(2);

impl Load {
    fn start(weir: &Weir, request: &'static str) -> Self {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..6)
            .map(|number| {
                let (stop, served, address) = (Arc::clone(&stop), Arc::clone(&served), weir.web());
                std::thread::spawn(move || {
                    let mut client = Client::connect(address);
                    let mut asked = 0_usize;
                    while !stop.load(Ordering::Relaxed) {
                        // Half of them keep their connection for ever, the others for a while.
                        if number % 2 == 1 && asked % 50 == 49 {
                            client = Client::connect(address);
                        }
                        let response = client.exchange(request);
                        assert_eq!(response.status, 200, "after {asked} requests: {}", response.text());
                        assert!(!response.closes(), "after {asked} requests: {:?}", response.head);
                        asked += 1;
                        served.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(PAUSE);
                    }
                })
            })
            .collect();
        Self { stop, served, clients }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.clients.into_iter().filter_map(|client| client.join().err()).count();
        assert_eq!(failed, 0, "so many clients saw a failure; see above");
        self.served.load(Ordering::Relaxed)
    }
}

#[test]
fn no_request_fails_while_the_configuration_is_replaced_every_second() {
    let origins: Vec<_> = (0..3).map(|number| Origin::named(&number.to_string())).collect();
    let config = |n: u64| {
        // Another balancer, another set of servers, another listener, another route each time.
        let balance = ["round_robin", "least_connections", "random_two", "uri_hash", "first"][n as usize % 5];
        let servers: Vec<_> = (0..3)
            .filter(|server| !(n + server).is_multiple_of(3))
            .map(|server| {
                format!("{{ name: s{server}, address: \"{}\" }}", origins[server as usize].address())
            })
            .collect();
        let extra = if n.is_multiple_of(2) {
            "  extra: { bind: 127.0.0.1:0, routes: [{ pool: web }] }\n"
        } else {
            ""
        };
        format!(
            "listeners:\n  web:\n    bind: 127.0.0.1:0\n    routes:\n      - {{ match: {{ path: /n{n} }}, respond: {{}} \
             }}\n      - pool: web\n{extra}pools:\n  web: {{ balance: {balance}, servers: [{}], check: {{ tcp: true }} }}\n",
            servers.join(", ")
        )
    };
    let weir = Weir::start(&config(0));
    let load = Load::start(&weir, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("there is traffic", || load.served() > 50);
    let (mut files, mut memory) = (0, 0);
    for n in 1..=seconds() {
        let began = Instant::now();
        weir.reload(&config(n));
        if n == 5 {
            (files, memory) = (weir.open_files(), weir.memory_peak_bytes());
        }
        std::thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
    }
    assert!(weir.said().matches("configuration applied").count() as u64 >= seconds());
    if seconds() > 5 {
        assert!(weir.open_files() <= files + 40, "{files} files, then {}", weir.open_files());
        assert!(
            weir.memory_peak_bytes() <= memory + (16 << 20),
            "{memory}, then {}",
            weir.memory_peak_bytes()
        );
    }
    assert!(load.end() > 50 * seconds() as usize);
}

#[test]
fn no_get_fails_while_servers_are_killed_and_started_again() {
    let stable = Origin::named("stable");
    let mut unstable = Origin::named("unstable");
    let address = unstable.address();
    let weir = Weir::start(&one_pool(&format!(
        "{{ servers: [{{ name: stable, address: \"{}\" }}, {{ name: unstable, address: \"{address}\" }}], check: {{ \
         http: /healthz, interval: 200ms, timeout: 500ms }}, retries: {{ attempts: 3, budget: 100% }}, ejection: {{ duration: 1s }} }}",
        stable.address()
    )));
    let load = Load::start(&weir, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("there is traffic", || load.served() > 50);
    let end = Instant::now() + Duration::from_secs(seconds() / 3 + 5);
    let mut kills = 0;
    while Instant::now() < end {
        unstable.kill();
        kills += 1;
        // Sometimes back before anybody noticed, sometimes only when the checks have.
        if kills % 2 == 0 {
            weir.admin().await_health("web", "unstable", "down");
        }
        unstable = Origin::named_on(address, "unstable");
        eventually("it serves again", || unstable.requests().iter().any(|request| request.target == "/"));
    }
    assert!(kills > 3, "{kills}");
    load.end();
}
