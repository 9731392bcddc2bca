//! What can be asked without changing anything.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::ask;
use crate::fixture::{PLAIN, origin, plain_with, with};

#[test]
fn health_readiness_and_their_end() {
    with(PLAIN, async |weir| {
        let alive = weir.get("/healthz").await;
        assert_eq!((alive.status, alive.body.as_str()), (200, "{\"status\":\"alive\"}\n"));
        let ready = weir.get("/readyz").await;
        assert_eq!((ready.status, ready.json()["status"].as_str().unwrap()), (200, "serving"));
        weir.operator.proxy().drain().await;
        let draining = weir.get("/readyz").await;
        assert_eq!((draining.status, draining.json()["status"].as_str().unwrap()), (503, "draining"));
        assert_eq!(weir.get("/healthz").await.status, 200);
        weir.ask("PUT", "/api/v1/config", "", PLAIN).await.problem(503);
    });
}

#[test]
fn stats_count_traffic() {
    with(PLAIN, async |weir| {
        let origin = origin().await;
        let config = plain_with("127.0.0.1:9\n", &format!("{{ name: one, address: \"{origin}\" }}\n"));
        assert_eq!(weir.ask("PUT", "/api/v1/config", "", &config).await.status, 200);
        for _ in 0..3 {
            assert_eq!(ask(weir.web(), "GET", "/", "", "").await.status, 200);
        }
        let stats = weir.get("/api/v1/stats").await.json();
        assert_eq!(stats["phase"], "serving");
        assert_eq!(stats["workers"].as_array().unwrap().len(), 2);
        let web = &stats["listeners"]["web"];
        assert_eq!(web["bind"][0], weir.web().to_string());
        assert_eq!(web["counters"]["exchanges"], 3);
        assert_eq!(web["counters"]["responses_2xx"], 3);
        let pool = &stats["pools"]["web"];
        assert_eq!((&pool["balance"], &pool["counters"]["exchanges"]), (&"round_robin".into(), &3.into()));
        assert_eq!(pool["servers"]["one"]["counters"]["exchanges"], 3);
        assert_eq!(pool["servers"]["two"]["backup"], true);
        assert_eq!(stats["access_log"]["dropped"], 0);
        let metrics = weir.get("/metrics").await.body;
        let line = "weir_server_responses_total{pool=\"web\",server=\"one\",class=\"2xx\"} 3\n";
        assert!(metrics.contains(line), "{metrics}");
    });
}

#[test]
fn pools_and_servers_are_found_by_their_encoded_names() {
    with(PLAIN, async |weir| {
        let pools = weir.get("/api/v1/pools").await.json();
        assert!(pools["pools"]["web"]["servers"]["127.0.0.1:9"].is_object());
        let server = weir.get("/api/v1/pools/web/servers/127.0.0.1%3A9").await.json();
        assert_eq!(server, weir.get("/api/v1/pools/web/servers/127.0.0.1:9").await.json());
        assert_eq!(server["address"], "127.0.0.1:9");
        assert_eq!(server["state"], "ready");
        assert_eq!(server["health"], "unknown");
        assert!(server["last_check"].is_null());
        assert!(server["since"].as_str().unwrap().ends_with('Z'));
        let two = weir.get("/api/v1/pools/web/servers/two").await.json();
        assert_eq!((&two["address"], &two["weight"]), (&"[::1]:9".into(), &3.into()));
        assert!(weir.get("/api/v1/pools/no").await.problem(404).contains("`no`"));
        assert!(weir.get("/api/v1/pools/web/servers/no").await.problem(404).contains("`no`"));
        weir.get("/api/v1/pools/web/servers/%zz").await.problem(400);
    });
}

#[test]
fn the_description_and_the_page_are_there() {
    with(PLAIN, async |weir| {
        let document = weir.get("/openapi.json").await.json();
        assert_eq!(document["openapi"], "3.1.0");
        assert!(document["paths"]["/api/v1/pools/{pool}/servers/{server}"]["patch"].is_object());
        let page = weir.get("/").await;
        assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
        assert!(
            page.body.contains("/api/v1/pools/web/servers/127.0.0.1:9\">127.0.0.1:9</a>"),
            "{}",
            page.body
        );
    });
}

/// A description that says what is not so is worse than none.
#[test]
fn answers_have_the_fields_that_their_schemas_require() {
    with(PLAIN, async |weir| {
        let document = weir.get("/openapi.json").await.json();
        let schemas = &document["components"]["schemas"];
        let verdict = weir.ask("POST", "/api/v1/config/check", "", "version: 2\n").await.json();
        let applied = weir.ask("PUT", "/api/v1/config", "", PLAIN).await.json();
        let stats = weir.get("/api/v1/stats").await.json();
        let server = weir.get("/api/v1/pools/web/servers/two").await.json();
        let system = weir.get("/api/v1/system").await.json();
        let cards = system["interfaces"].as_array().unwrap().iter().map(|card| ("Interface", card));
        let disks = system["disks"].as_array().unwrap().iter().map(|disk| ("Disk", disk));
        for (schema, value) in cards.chain(disks).chain([
            ("Stats", &stats),
            ("LastReload", &stats["last_reload"]),
            ("Worker", &stats["workers"][0]),
            ("Listener", &stats["listeners"]["web"]),
            ("Pool", &stats["pools"]["web"]),
            ("Server", &server),
            ("System", &system),
            ("Cpus", &system["cpus"]),
            ("Memory", &system["memory"]),
            ("Applied", &applied),
            ("Verdict", &verdict),
            ("Diagnostic", &verdict["diagnostics"][0]),
        ]) {
            let mut described: Vec<_> = schemas[schema]["required"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap())
                .collect();
            let mut there: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
            described.sort_unstable();
            there.sort_unstable();
            assert_eq!(described, there, "{schema}");
        }
    });
}

#[test]
fn unknown_paths_and_methods_are_problems() {
    with(PLAIN, async |weir| {
        weir.get("/nothing").await.problem(404);
        let reply = weir.ask("DELETE", "/api/v1/config", "", "").await;
        reply.problem(405);
        assert_eq!(reply.field("allow"), Some("GET, HEAD, PUT"));
        let reply = weir.ask("POST", "/metrics", "", "").await;
        reply.problem(405);
        assert_eq!(reply.field("allow"), Some("GET, HEAD"));
    });
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    with(PLAIN, async |weir| {
        for path in ["/healthz", "/", "/openapi.json", "/api/v1/config"] {
            let (head, get) = (weir.ask("HEAD", path, "", "").await, weir.get(path).await);
            assert_eq!((head.status, head.body.as_str()), (200, ""));
            assert_eq!(head.field("content-length"), get.field("content-length"), "{path}");
        }
    });
}

#[test]
fn a_connection_serves_many_requests_also_sent_ahead() {
    with(PLAIN, async |weir| {
        let mut socket = TcpStream::connect(weir.admin).await.unwrap();
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        socket.write_all(request.repeat(3).as_bytes()).await.unwrap();
        let mut answers = String::new();
        while answers.matches("alive").count() < 3 {
            let mut chunk = [0; 4096];
            let n = socket.read(&mut chunk).await.unwrap();
            assert!(n > 0, "closed after {answers}");
            answers += std::str::from_utf8(&chunk[..n]).unwrap();
        }
        socket
            .write_all(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(crate::client::read_to_end(&mut socket).await.unwrap().status, 200);
    });
}
