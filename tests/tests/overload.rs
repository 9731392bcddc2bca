//! More than it may carry: at the limit on sessions, and when one server is slow while others are not.

use std::time::{Duration, Instant};

use weir_tests::{Client, Frame, Http2, Origin, Weir, eventually, get, list, ok};

/// One worker with room for sixteen sessions, the fewest that can be set.
fn narrow(origin: &Origin) -> Weir {
    Weir::start(&format!(
        "workers: 1\nlimits: {{ sessions: 16 }}\n\
         listeners: {{ web: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}] }} }}\n\
         pools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ))
}

/// A counter of all workers together, by its name.
fn workers_number(weir: &Weir, name: &str) -> u64 {
    let text = weir.admin().get("/metrics").text();
    let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
}

#[test]
fn at_the_limit_idle_connections_make_room_for_new_ones() {
    let origin = Origin::named("a");
    let weir = narrow(&origin);
    let mut idle: Vec<_> = (0..16).map(|_| Client::connect(weir.web())).collect();
    for client in &mut idle {
        assert_eq!(client.get("/").status, 200);
    }
    // Twice as many newcomers, each of whom keeps its connection as well.
    let mut newcomers = Vec::new();
    for _ in 0..32 {
        let mut client = Client::connect(weir.web());
        assert_eq!(client.get("/").status, 200);
        newcomers.push(client);
    }
    assert!(workers_number(&weir, "weir_worker_sessions_shed_total") >= 16);
    assert_eq!(workers_number(&weir, "weir_worker_accept_pauses_total"), 0);
    assert_eq!(weir.times_said("limit on sessions reached"), 1, "{}", weir.said());
    // Those that had waited longest went first.
    idle[0].assert_closed();
    assert_eq!(newcomers.last_mut().unwrap().get("/").status, 200);
}

#[test]
fn at_the_limit_idle_http2_connections_make_room_and_busy_ones_stay() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/slow" {
                return peer.wait_for_end();
            }
            peer.send(ok("quick"))?;
        }
        Ok(())
    });
    let weir = narrow(&origin);
    let mut busy = Http2::connect(weir.web());
    busy.send(&[Frame::get(1, "/slow")]);
    let mut idle: Vec<_> = (0..15).map(|_| Http2::connect(weir.web())).collect();
    for client in &mut idle {
        client.send(&[Frame::get(1, "/")]);
        assert_eq!(client.answer(1).0, 200);
    }
    let mut newcomers: Vec<_> = (0..20).map(|_| Client::connect(weir.web())).collect();
    for client in &mut newcomers {
        assert_eq!(client.get("/").status, 200);
    }
    assert!(workers_number(&weir, "weir_worker_sessions_shed_total") >= 15);
    busy.assert_alive();
}

#[test]
fn at_the_limit_with_nobody_idle_newcomers_wait_in_the_kernel_and_nobody_is_cut() {
    let origin = Origin::silent();
    let weir = narrow(&origin);
    let busy: Vec<_> = (0..16)
        .map(|_| {
            let mut client = Client::connect(weir.web());
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    eventually("all are busy", || {
        weir.admin().server("web", &origin.address().to_string())["in_flight"] == 16
    });
    let mut waiting = Client::connect(weir.web());
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("accepting pauses", || workers_number(&weir, "weir_worker_accept_pauses_total") == 1);
    waiting.assert_quiet_for(Duration::from_millis(200));
    assert_eq!(workers_number(&weir, "weir_worker_sessions_shed_total"), 0);
    assert_eq!(weir.times_said("limit on sessions reached"), 1, "{}", weir.said());
    drop(busy);
    eventually("the one that waited is served", || {
        weir.admin().server("web", &origin.address().to_string())["in_flight"] == 1
    });
}

#[test]
fn a_slow_server_slows_nobody_elses_requests() {
    let slow = Origin::silent();
    let quick = Origin::answering(|_| ok("quick"));
    let weir = Weir::start(&format!(
        "workers: 1\nlisteners:\n  web:\n    bind: 127.0.0.1:0\n    routes:\n      \
         - match: {{ path_prefix: /slow }}\n        pool: slow\n      - pool: quick\n\
         pools:\n  slow: {{ servers: [{{ name: slow, address: \"{}\", max_connections: 8 }}] }}\n  \
         quick: {{ servers: {} }}\n",
        slow.address(),
        list(&[quick.address()]),
    ));
    // Eight that the server holds, and as many again in its queue.
    let held: Vec<_> = (0..16)
        .map(|_| {
            let mut client = Client::connect(weir.web());
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    eventually("they are held", || weir.admin().server("slow", "slow")["in_flight"] == 8);
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(get(weir.web(), "/").text(), "quick");
    }
    // Were one of them behind a slow one, it would wait for `timeouts.queue` (5 s) at least.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(weir.admin().server("slow", "slow")["in_flight"], 8);
    drop(held);
}
