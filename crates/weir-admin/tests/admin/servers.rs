//! Changing a server.

use crate::client::ask;
use crate::fixture::{PLAIN, origin, plain_with, until, with};

const ONE: &str = "/api/v1/pools/web/servers/127.0.0.1:9";
const TWO: &str = "/api/v1/pools/web/servers/two";

#[test]
fn a_change_is_seen_at_once() {
    with(PLAIN, async |weir| {
        let changed = weir.ask("PATCH", TWO, "Content-Type: application/json\r\n", r#"{"weight": 7}"#).await;
        assert_eq!((changed.status, &changed.json()["weight"]), (200, &7.into()));
        assert_eq!(weir.get(TWO).await.json()["weight"], 7);
        for state in ["drain", "maintenance", "ready"] {
            let body = format!("{{\"state\": \"{state}\"}}");
            assert_eq!(weir.ask("PATCH", ONE, "", &body).await.json()["state"], state);
        }
        assert_eq!(weir.get(ONE).await.json()["weight"], 1);
    });
}

#[test]
fn a_drained_server_gets_no_request() {
    with(PLAIN, async |weir| {
        let (one, two) = (origin().await, origin().await);
        let config = plain_with("127.0.0.1:9\n", &format!("{{ name: one, address: \"{one}\" }}\n"))
            .replace("\"[::1]:9\", weight: 3, backup: true", &format!("\"{two}\""));
        assert_eq!(weir.ask("PUT", "/api/v1/config", "", &config).await.status, 200);
        weir.ask("PATCH", "/api/v1/pools/web/servers/one", "", r#"{"state":"drain"}"#).await;
        for _ in 0..4 {
            assert_eq!(ask(weir.web(), "GET", "/", "", "").await.status, 200);
        }
        let servers = &weir.get("/api/v1/pools/web").await.json()["servers"];
        assert_eq!(servers["one"]["counters"]["exchanges"], 0);
        assert_eq!(servers["two"]["counters"]["exchanges"], 4);
        // The operator's word outlives a reload.
        assert_eq!(weir.ask("PUT", "/api/v1/config", "", &config).await.status, 200);
        assert_eq!(weir.get("/api/v1/pools/web/servers/one").await.json()["state"], "drain");
    });
}

#[test]
fn what_is_not_a_change_is_refused_and_changes_nothing() {
    with(PLAIN, async |weir| {
        let before = weir.get(TWO).await.json();
        for (body, status, says) in [
            ("", 400, "not JSON"),
            ("{", 400, "not JSON"),
            ("[]", 422, "object"),
            ("{}", 422, "`state`"),
            (r#"{"state":"off"}"#, 422, "\"maintenance\""),
            (r#"{"weight":257}"#, 422, "0 to 256"),
            (r#"{"weight":5,"colour":1}"#, 422, "`colour`"),
        ] {
            let detail = weir.ask("PATCH", TWO, "", body).await.problem(status);
            assert!(detail.contains(says), "{body}: {detail}");
        }
        weir.ask("PATCH", TWO, "Content-Type: image/png\r\n", "{}").await.problem(415);
        weir.ask("PATCH", TWO, "", &format!("{{\"state\": \"{}\"}}", "x".repeat(70_000))).await.problem(413);
        weir.ask("PATCH", "/api/v1/pools/web/servers/no", "", r#"{"weight":1}"#).await.problem(404);
        weir.ask("PATCH", "/api/v1/pools/no/servers/two", "", r#"{"weight":1}"#).await.problem(404);
        assert_eq!(weir.get(TWO).await.json(), before);
    });
}

#[test]
fn the_last_check_and_what_it_found_are_shown() {
    let config = PLAIN.to_owned() + "    check: { http: { path: / }, interval: 50ms, timeout: 1s }\n";
    with(&config, async |weir| {
        let server = until("the server is down", async || {
            let server = weir.get(ONE).await.json();
            (server["health"] == "down").then_some(server)
        })
        .await;
        let check = &server["last_check"];
        assert_eq!((&check["passed"], &check["detail"]), (&false.into(), &"connection refused".into()));
        assert!(check["duration_ms"].as_f64().unwrap() > 0.0);
        assert!(
            weir.get("/metrics")
                .await
                .body
                .contains("weir_server_up{pool=\"web\",server=\"127.0.0.1:9\"} 0\n")
        );
        let page = weir.get("/").await.body;
        assert!(page.contains("connection refused"), "{page}");
    });
}
