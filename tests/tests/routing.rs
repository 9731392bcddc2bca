//! Which route a request takes, over every condition there is.

use std::net::SocketAddr;

use weir_tests::{Client, Origin, Weir, get, list};

/// Asks `host` for `path` with more fields, and says what answered.
fn ask(weir: &Weir, method: &str, host: &str, path: &str, fields: &str) -> String {
    let mut client = Client::connect(weir.web());
    let response = client.exchange(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"));
    if response.status == 200 { response.text() } else { response.status.to_string() }
}

/// A listener with these routes, each `- match: …` answered by `respond: { body: … }`.
fn routes(routes: &str) -> Weir {
    Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    routes:\n{routes}pools: {{ unused: {{ servers: \
         [127.0.0.1:1] }} }}\n"
    ))
}

fn route(condition: &str, body: &str) -> String {
    format!("      - match: {condition}\n        respond: {{ body: {body} }}\n")
}

#[test]
fn by_host() {
    let weir = routes(
        &(route("{ host: exact.example.com }", "exact")
            + &route("{ host: [one.example.com, two.example.com] }", "list")
            + &route("{ host: \"*.example.com\" }", "wildcard")
            + &route("{ host: \"*.deep.example.org\" }", "deep")),
    );
    for (host, body) in [
        ("exact.example.com", "exact"),
        ("EXACT.Example.COM", "exact"),
        ("exact.example.com:8080", "exact"),
        ("exact.example.com.", "exact"),
        ("two.example.com", "list"),
        ("a.example.com", "wildcard"),
        ("a.b.example.com", "wildcard"),
        ("example.com", "404"),
        ("notexample.com", "404"),
        ("x.deep.example.org", "deep"),
        ("deep.example.org", "404"),
        ("[::1]:80", "404"),
        ("192.0.2.1", "404"),
    ] {
        assert_eq!(ask(&weir, "GET", host, "/", ""), body, "{host}");
    }
}

#[test]
fn by_path() {
    let weir = routes(
        &(route("{ path: /exact }", "exact")
            + &route("{ path_prefix: /v1 }", "segment")
            + &route("{ path_prefix: /v2/ }", "folder")
            + &route("{ path_regex: \"^/user/[0-9]+$\" }", "regex")),
    );
    for (path, body) in [
        ("/exact", "exact"),
        ("/exact?with=query", "exact"),
        ("/exact/", "404"),
        ("/Exact", "404"),
        ("/v1", "segment"),
        ("/v1/x/y", "segment"),
        ("/v1?x", "segment"),
        ("/v1x", "404"),
        ("/v2/x", "folder"),
        ("/v2", "404"),
        ("/user/42", "regex"),
        ("/user/42/x", "404"),
        ("/user/x", "404"),
    ] {
        assert_eq!(ask(&weir, "GET", "a", path, ""), body, "{path}");
    }
}

#[test]
fn by_method_header_and_query() {
    let weir = routes(
        &(route("{ method: [PUT, DELETE] }", "method")
            + &route("{ header: { X-Canary: \"yes\", X-Version: { regex: \"^2\\\\.\" } } }", "headers")
            + &route("{ header: { X-Debug: { present: true } } }", "present")
            + &route("{ query: { beta: { present: true }, lang: de } }", "query")
            + &route("{ header: { Cookie: { present: false } }, path: /anonymous }", "absent")),
    );
    assert_eq!(ask(&weir, "PUT", "a", "/", ""), "method");
    assert_eq!(ask(&weir, "DELETE", "a", "/", ""), "method");
    assert_eq!(ask(&weir, "GET", "a", "/", ""), "404");
    assert_eq!(ask(&weir, "GET", "a", "/", "X-Canary: yes\r\nX-Version: 2.5\r\n"), "headers");
    assert_eq!(
        ask(&weir, "GET", "a", "/", "x-canary: yes\r\nx-version: 1.0\r\nx-version: 2.0\r\n"),
        "headers"
    );
    assert_eq!(ask(&weir, "GET", "a", "/", "X-Canary: no\r\nX-Version: 2.5\r\n"), "404");
    assert_eq!(ask(&weir, "GET", "a", "/", "X-Canary: yes\r\n"), "404");
    assert_eq!(ask(&weir, "GET", "a", "/", "X-Debug:\r\n"), "present");
    assert_eq!(ask(&weir, "GET", "a", "/?lang=de&beta", ""), "query");
    assert_eq!(ask(&weir, "GET", "a", "/?beta=1&lang=fr&lang=de", ""), "query");
    assert_eq!(ask(&weir, "GET", "a", "/?lang=de", ""), "404");
    assert_eq!(ask(&weir, "GET", "a", "/anonymous", ""), "absent");
    assert_eq!(ask(&weir, "GET", "a", "/anonymous", "Cookie: a=b\r\n"), "404");
}

#[test]
fn by_source() {
    let weir = routes(
        &(route("{ source: 127.0.0.2 }", "one")
            + &route("{ source: [10.0.0.0/8, 127.0.1.0/24] }", "network")),
    );
    let from = |source: [u8; 4]| {
        let mut client = Client::connect_from(SocketAddr::from((source, 0)), weir.web());
        let response = client.get("/");
        if response.status == 200 { response.text() } else { response.status.to_string() }
    };
    assert_eq!(from([127, 0, 0, 2]), "one");
    assert_eq!(from([127, 0, 1, 9]), "network");
    assert_eq!(from([127, 0, 0, 1]), "404");
}

#[test]
fn the_first_route_that_matches_decides() {
    let weir = routes(
        &(route("{ path_prefix: /a/b }", "first")
            + &route("{ host: h.example.com, path_prefix: /a }", "second")
            + &route("{ path_prefix: / }", "third")
            + &route("{ host: h.example.com, path: /never }", "fourth")),
    );
    assert_eq!(ask(&weir, "GET", "h.example.com", "/a/b/c", ""), "first");
    assert_eq!(ask(&weir, "GET", "h.example.com", "/a/c", ""), "second");
    assert_eq!(ask(&weir, "GET", "x.example.com", "/a/c", ""), "third");
    assert_eq!(ask(&weir, "GET", "h.example.com", "/never", ""), "third");
}

#[test]
fn redirects_keep_what_they_do_not_name() {
    let weir = Weir::start(
        "listeners:
  web:
    bind: 127.0.0.1:0
    routes:
      - match: { host: old.example.com }
        redirect: { scheme: https, host: new.example.com, status: 301 }
      - match: { path: /docs }
        redirect: { path: /docs/ }
      - redirect: { port: 8443, scheme: https, status: 307 }
pools: { unused: { servers: [127.0.0.1:1] } }
",
    );
    let to = |request: &str| {
        let mut client = Client::connect(weir.web());
        let response = client.exchange(request);
        (response.status, response.field("location").unwrap().to_owned())
    };
    assert_eq!(
        to("GET /a?b=c HTTP/1.1\r\nHost: old.example.com:8080\r\n\r\n"),
        (301, "https://new.example.com/a?b=c".to_owned())
    );
    assert_eq!(to("GET /docs HTTP/1.1\r\nHost: x:81\r\n\r\n"), (308, "http://x:81/docs/".to_owned()));
    assert_eq!(
        to("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
        (307, "https://x:8443/p".to_owned())
    );
}

#[test]
fn fixed_answers_and_404_keep_the_connection() {
    let weir = Weir::start(
        "listeners:
  web:
    bind: 127.0.0.1:0
    routes:
      - match: { path: /version }
        respond: { body: '{\"version\": 1}', content_type: application/json }
      - match: { path: /teapot }
        respond: { status: 418, body: short }
      - match: { path: /empty }
        respond: { status: 204 }
pools: { unused: { servers: [127.0.0.1:1] } }
",
    );
    let mut client = Client::connect(weir.web());
    let version = client.get("/version");
    assert_eq!((version.status, version.text().as_str()), (200, "{\"version\": 1}"));
    assert_eq!(version.field("content-type"), Some("application/json"));
    let teapot = client.exchange("POST /teapot HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!((teapot.status, teapot.text().as_str()), (418, "short"));
    let head = client.exchange("HEAD /version HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status, head.field("content-length")), (200, Some("14")));
    assert_eq!(client.get("/empty").status, 204);
    let missing = client.get("/nothing");
    assert_eq!((missing.status, missing.closes()), (404, false));
    let line = weir.access_line("/nothing");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(404), Some("PR")));
}

#[test]
fn several_listeners_and_addresses_have_their_own_routes() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let weir = Weir::start(&format!(
        "listeners:\n  web: {{ bind: [\"127.0.0.1:0\", \"127.0.0.2:0\"], routes: [{{ pool: a }}] }}\n  other: {{ \
         bind: \"[::1]:0\", routes: [{{ pool: b }}] }}\npools:\n  a: {{ servers: {} }}\n  b: {{ servers: {} }}\n",
        list(&[a.address()]),
        list(&[b.address()]),
    ));
    assert_eq!(get(weir.listener("web"), "/").text(), "a");
    assert_eq!(get(weir.listener("other"), "/").text(), "b");
}
