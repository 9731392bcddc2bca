//! Reading, checking and replacing the configuration.

use std::net::TcpListener;

use weir_admin::ReloadError;
use weir_config::Color;

use crate::client::get;
use crate::fixture::{PLAIN, plain_with, until, with};

const CONFIG: &str = "/api/v1/config";

#[test]
fn the_running_configuration_can_be_put_back() {
    with(PLAIN, async |weir| {
        let now = weir.get(CONFIG).await;
        assert_eq!(now.field("content-type"), Some("application/yaml"));
        assert_eq!(weir_config::parse(&now.body).unwrap().config, weir_config::parse(PLAIN).unwrap().config);
        let reply = weir.ask("PUT", CONFIG, "Content-Type: application/yaml\r\n", &now.body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let applied = reply.json();
        assert!(applied["generation"].as_u64().unwrap() > 1);
        assert_eq!(applied["notes"].as_array().unwrap().len(), 0);
        assert_eq!(reply.field("etag"), Some(&*format!("\"{}\"", applied["generation"])));
        assert_eq!(weir.get(CONFIG).await.field("etag"), reply.field("etag"));
    });
}

#[test]
fn another_configuration_takes_effect_and_a_refused_one_changes_nothing() {
    with(PLAIN, async |weir| {
        let reply = weir.ask("PUT", CONFIG, "", &plain_with("127.0.0.1:9\n", "127.0.0.1:19\n")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(weir.get("/api/v1/pools/web/servers/127.0.0.1:19").await.status, 200);
        let before = weir.get(CONFIG).await;

        let refused = weir.ask("PUT", CONFIG, "", &plain_with("pool: web", "pool: wbe")).await;
        let detail = refused.problem(422);
        assert!(detail.contains("line 11: no pool named `wbe`"), "{detail}");
        let diagnostic = &refused.json()["diagnostics"][0];
        assert_eq!((&diagnostic["severity"], &diagnostic["line"]), (&"error".into(), &11.into()));
        weir.ask("PUT", CONFIG, "", "").await.problem(422);
        weir.ask("PUT", CONFIG, "Content-Type: multipart/form-data\r\n", PLAIN).await.problem(415);

        let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let holder = TcpListener::bind(taken).unwrap();
        for (line, by) in [
            ("    bind: 127.0.0.1:0", format!("    bind: {taken}")),
            ("  bind: 127.0.0.1:0\nlog", format!("  bind: {taken}\nlog")),
            ("access: off", "access: /nowhere/access.log".to_owned()),
            ("127.0.0.1:0\nlog", "127.0.0.1:0\n  token_file: /nowhere/token\nlog".to_owned()),
        ] {
            let detail = weir.ask("PUT", CONFIG, "", &plain_with(line, &by)).await.problem(409);
            assert!(detail.contains("bind") || detail.contains("/nowhere"), "{detail}");
        }
        drop(holder);

        let after = weir.get(CONFIG).await;
        assert_eq!((after.field("etag"), &after.body), (before.field("etag"), &before.body));
        let metrics = weir.get("/metrics").await.body;
        assert!(metrics.contains("weir_config_last_reload_success 0\n"));
        assert!(metrics.contains("weir_config_reloads_total{result=\"success\"} 1\n"));
        assert!(metrics.contains("weir_config_reloads_total{result=\"failure\"} 6\n"), "{metrics}");
        assert!(weir.get("/").await.body.contains("The last reload was refused"));
    });
}

#[test]
fn if_match_replaces_only_what_was_read() {
    with(PLAIN, async |weir| {
        let etag = weir.get(CONFIG).await.field("etag").unwrap().to_owned();
        let field = format!("If-Match: {etag}\r\n");
        assert_eq!(weir.ask("PUT", CONFIG, &field, PLAIN).await.status, 200);
        weir.ask("PUT", CONFIG, &field, PLAIN).await.problem(412);
        weir.ask("PUT", CONFIG, "If-Match: nonsense\r\n", PLAIN).await.problem(412);
        assert_eq!(weir.ask("PUT", CONFIG, "If-Match: *\r\n", PLAIN).await.status, 200);
        // A change of a server is no change of the configuration.
        let etag = weir.get(CONFIG).await.field("etag").unwrap().to_owned();
        weir.ask("PATCH", "/api/v1/pools/web/servers/two", "", r#"{"weight": 9}"#).await;
        assert_eq!(weir.ask("PUT", CONFIG, &format!("If-Match: {etag}\r\n"), PLAIN).await.status, 200);
    });
}

#[test]
fn checking_applies_nothing() {
    with(PLAIN, async |weir| {
        let before = weir.get(CONFIG).await;
        let good = weir.ask("POST", "/api/v1/config/check", "", PLAIN).await.json();
        assert_eq!((&good["valid"], &good["errors"]), (&true.into(), &0.into()));
        let bad =
            weir.ask("POST", "/api/v1/config/check", "", "version: 1\nlisteners: 5\ncolour: red\n").await;
        assert_eq!(bad.status, 200);
        let bad = bad.json();
        assert_eq!(bad["valid"], false);
        assert!(bad["errors"].as_u64().unwrap() >= 2);
        assert_eq!(bad["diagnostics"][0]["line"], 2);
        assert_eq!(weir.get(CONFIG).await.body, before.body);
    });
}

#[test]
fn the_admin_address_can_move_within_its_own_reload() {
    with(PLAIN, async |weir| {
        let to = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = plain_with("  bind: 127.0.0.1:0\nlog", &format!("  bind: {to}\nlog"));
        assert_eq!(weir.ask("PUT", CONFIG, "", &config).await.status, 200);
        assert_eq!(weir.operator.admin_address(), to);
        assert_eq!(get(to, "/healthz").await.status, 200);
        until("the old address is closed", async || {
            tokio::net::TcpStream::connect(weir.admin).await.is_err().then_some(())
        })
        .await;
        // The same port, on all addresses: our own socket is not in the way.
        let dir = std::env::temp_dir().join(format!("weir-admin-move-{}", std::process::id()));
        std::fs::write(&dir, "0123456789abcdef\n").unwrap();
        let wide = format!("  bind: 0.0.0.0:{}\n  token_file: {}\nlog", to.port(), dir.display());
        let reply =
            crate::client::ask(to, "PUT", CONFIG, "", &plain_with("  bind: 127.0.0.1:0\nlog", &wide)).await;
        std::fs::remove_file(&dir).unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        until("the new token is asked for", async || (get(to, "/metrics").await.status == 401).then_some(()))
            .await;
    });
}

#[test]
fn concurrent_reloads_are_taken_one_after_the_other() {
    with(PLAIN, async |weir| {
        let one = plain_with("127.0.0.1:9\n", "127.0.0.1:21\n");
        let (a, b) = tokio::join!(weir.operator.reload(&one), weir.operator.reload(PLAIN));
        assert_eq!(a.unwrap().generation + 1, b.unwrap().generation);
        assert_eq!(weir.get("/api/v1/pools/web/servers/127.0.0.1:9").await.status, 200);
    });
}

#[test]
fn a_refused_reload_says_why_to_a_person() {
    with(PLAIN, async |weir| {
        let text = plain_with("pool: web", "pool: wbe");
        let error = weir.operator.reload(&text).await.unwrap_err();
        let shown = error.render("weir.yaml", &text, Color::Never);
        assert!(shown.contains("weir.yaml:11:"), "{shown}");
        let shown = ReloadError::Stale { now: 3 }.render("weir.yaml", &text, Color::Never);
        assert_eq!(shown.lines().count(), 1);
        weir.operator.refuse("can't read weir.yaml");
        let last = &weir.get("/api/v1/stats").await.json()["last_reload"];
        assert_eq!((&last["error"], &last["reloads_failed"]), (&"can't read weir.yaml".into(), &2.into()));
    });
}
