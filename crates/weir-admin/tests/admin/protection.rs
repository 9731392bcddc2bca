//! Who may not ask, and what clients can't do to the server.

use std::path::PathBuf;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{ask, raw, read_to_end};
use crate::fixture::{PLAIN, plain_with, with};

const TOKEN: &str = "correct-horse-battery-staple";

struct TokenFile(PathBuf);

impl TokenFile {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-admin-{test}-{}", std::process::id()));
        std::fs::write(&path, format!(" {TOKEN} \nnotes\n")).unwrap();
        Self(path)
    }

    fn config(&self) -> String {
        plain_with("127.0.0.1:0\nlog", &format!("127.0.0.1:0\n  token_file: {}\nlog", self.0.display()))
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn the_token_opens_everything_and_nothing_else_does() {
    let file = TokenFile::new("opens");
    with(&file.config(), async |weir| {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(weir.get(path).await.status, 200);
        }
        for path in ["/", "/metrics", "/api/v1/stats", "/api/v1/config", "/nothing"] {
            let reply = weir.get(path).await;
            assert!(!reply.problem(401).contains(TOKEN));
            assert_eq!(reply.field("www-authenticate"), Some("Bearer realm=\"weir\""));
            for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN}x"), &TOKEN.to_uppercase()] {
                weir.ask("GET", path, &bearer(wrong), "").await.problem(401);
            }
            weir.ask("GET", path, &format!("Authorization: Basic {TOKEN}\r\n"), "").await.problem(401);
        }
        weir.ask("PUT", "/api/v1/config", "", PLAIN).await.problem(401);
        weir.ask("PATCH", "/api/v1/pools/web/servers/two", "", r#"{"weight":9}"#).await.problem(401);
        for path in ["/", "/metrics", "/api/v1/stats", "/api/v1/config", "/openapi.json"] {
            let reply = weir.ask("GET", path, &bearer(TOKEN), "").await;
            assert_eq!(reply.status, 200);
            assert!(!reply.body.contains(TOKEN), "{path} shows the token");
        }
        assert_eq!(
            weir.ask("GET", "/metrics", &bearer(TOKEN).replace("Bearer", "bEARER"), "").await.status,
            200
        );
        // With a token, any name will do.
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: lb.example\r\nConnection: close\r\n{}\r\n",
            bearer(TOKEN)
        );
        assert_eq!(raw(weir.admin, request.as_bytes()).await.unwrap().status, 200);
    });
}

#[test]
fn a_browser_is_asked_for_the_token_and_told_nothing_else() {
    let file = TokenFile::new("browser");
    with(&file.config(), async |weir| {
        let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
        for path in ["/", "/api/v1/stats", "/nothing"] {
            let reply = weir.ask("GET", path, accept, "").await;
            assert_eq!(reply.status, 401);
            assert_eq!(reply.field("content-type"), Some("text/html; charset=utf-8"));
            assert_eq!(reply.field("www-authenticate"), Some("Bearer realm=\"weir\""));
            let policy = reply.field("content-security-policy").unwrap();
            assert!(
                policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"),
                "{policy}"
            );
            assert!(
                reply.body.contains("type=\"password\"") && !reply.body.contains("127.0.0.1:9"),
                "{path}"
            );
        }
        // The same page as anywhere, once the token is there; and no page for who would change something.
        let reply = weir.ask("GET", "/", &format!("{accept}{}", bearer(TOKEN)), "").await;
        assert!(reply.status == 200 && reply.body.contains("<h2>Listeners</h2>"));
        weir.ask("PUT", "/api/v1/config", accept, PLAIN).await.problem(401);
    });
}

#[test]
fn a_reload_changes_the_token() {
    let file = TokenFile::new("changes");
    with(&file.config(), async |weir| {
        std::fs::write(&file.0, "another-token-of-some-length\n").unwrap();
        weir.operator.reload(&file.config()).await.unwrap();
        weir.ask("GET", "/metrics", &bearer(TOKEN), "").await.problem(401);
        assert_eq!(
            weir.ask("GET", "/metrics", &bearer("another-token-of-some-length"), "").await.status,
            200
        );
        std::fs::write(&file.0, "short\n").unwrap();
        let refused = weir.operator.reload(&file.config()).await.unwrap_err().to_string();
        assert!(refused.contains(file.0.to_str().unwrap()) && refused.contains("at least 16"), "{refused}");
        assert_eq!(
            weir.ask("GET", "/metrics", &bearer("another-token-of-some-length"), "").await.status,
            200
        );
    });
}

#[test]
fn a_foreign_name_or_page_is_refused_where_there_is_no_token() {
    with(PLAIN, async |weir| {
        let request = |host: &str, path: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
        };
        for host in ["evil.example", "evil.example:9000", "127.0.0.1.evil.example", ""] {
            raw(weir.admin, &request(host, "/api/v1/config")).await.unwrap().problem(403);
        }
        for host in ["localhost", "localhost:9000", "127.0.0.1", "[::1]:9000"] {
            assert_eq!(
                raw(weir.admin, &request(host, "/api/v1/config")).await.unwrap().status,
                200,
                "{host}"
            );
        }
        assert_eq!(raw(weir.admin, &request("any.example", "/healthz")).await.unwrap().status, 200);
        let two = "/api/v1/pools/web/servers/two";
        for origin in ["http://evil.example", "null"] {
            let field = format!("Origin: {origin}\r\n");
            weir.ask("PATCH", two, &field, r#"{"weight":9}"#).await.problem(403);
        }
        assert_eq!(weir.get(two).await.json()["weight"], 3);
        let own = format!("Origin: http://{}\r\n", weir.admin);
        assert_eq!(weir.ask("PATCH", two, &own, r#"{"weight":9}"#).await.status, 200);
    });
}

#[test]
fn malformed_and_oversized_heads_are_problems() {
    with(PLAIN, async |weir| {
        let head =
            |fields: &str| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into_bytes();
        for (bytes, status) in [
            (b"NONSENSE\r\n\r\n".to_vec(), 400),
            (b"GET /healthz HTTP/1.1\r\n\r\n".to_vec(), 400),
            (b"GET /healthz HTTP/1.1\nHost: localhost\n\n".to_vec(), 400),
            (b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n".to_vec(), 505),
            (head("A : b\r\n"), 400),
            (head("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400),
            (head(&format!("A: {}\r\n", "a".repeat(17 << 10))), 431),
            (head(&"A: b\r\n".repeat(64)), 431),
            (format!("GET /{} HTTP/1.1\r\n", "a".repeat(9 << 10)).into_bytes(), 414),
            (head("").iter().chain(b"oh no\r\n\r\n").copied().collect(), 200),
        ] {
            let reply = raw(weir.admin, &bytes).await.unwrap();
            if status == 200 {
                // The good request is answered, and so is the bad one after it.
                assert_eq!(reply.status, 200);
                assert!(reply.body.contains("HTTP/1.1 400 Bad Request"), "{reply:?}");
            } else {
                reply.problem(status);
            }
        }
        assert_eq!(raw(weir.admin, &head("Connection: close\r\n")).await.unwrap().status, 200);
    });
}

#[test]
fn an_oversized_body_is_refused_before_it_is_sent() {
    with(PLAIN, async |weir| {
        let head = "PUT /api/v1/config HTTP/1.1\r\nHost: localhost\r\nContent-Length: 67108865\r\n\
                    Expect: 100-continue\r\n\r\n";
        raw(weir.admin, head.as_bytes()).await.unwrap().problem(413);
        // Of unknown length, it is refused on the way.
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let request = format!(
            "PATCH /api/v1/pools/web/servers/two HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(2)
        );
        raw(weir.admin, request.as_bytes()).await.unwrap().problem(413);
    });
}

#[test]
fn slow_clients_are_told_or_closed() {
    with(PLAIN, async |weir| {
        // The clock stands, and jumps to the next timeout whenever nothing else is to be done.
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let reply = raw(weir.admin, b"GET /healthz HTTP/1.1\r\nHost: loc").await.unwrap();
        reply.problem(408);
        assert!((9..=12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());

        let begun = tokio::time::Instant::now();
        let mut silent = TcpStream::connect(weir.admin).await.unwrap();
        assert!(read_to_end(&mut silent).await.is_none());
        assert!((9..=12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());

        let begun = tokio::time::Instant::now();
        let head = "PUT /api/v1/config HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nversion: 1";
        raw(weir.admin, head.as_bytes()).await.unwrap().problem(408);
        assert!((29..=32).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());

        let begun = tokio::time::Instant::now();
        let mut idle = TcpStream::connect(weir.admin).await.unwrap();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(read_to_end(&mut idle).await.unwrap().status, 200);
        assert!((59..=62).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        tokio::time::resume();
    });
}

#[test]
fn a_client_that_goes_away_stops_no_reload() {
    with(PLAIN, async |weir| {
        let config = plain_with("127.0.0.1:9\n", "127.0.0.1:31\n");
        let mut socket = TcpStream::connect(weir.admin).await.unwrap();
        let head = format!(
            "PUT /api/v1/config HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            config.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(config.as_bytes()).await.unwrap();
        drop(socket);
        crate::fixture::until("the configuration is in force", async || {
            (weir.get("/api/v1/pools/web/servers/127.0.0.1:31").await.status == 200).then_some(())
        })
        .await;
    });
}

#[test]
fn more_connections_than_allowed_wait_and_are_served() {
    with(PLAIN, async |weir| {
        let mut held = Vec::new();
        for _ in 0..256 {
            let mut socket = TcpStream::connect(weir.admin).await.unwrap();
            socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            held.push(socket);
        }
        let (reply, ()) = tokio::join!(ask(weir.admin, "GET", "/healthz", "", ""), async {
            tokio::task::yield_now().await;
            held.clear();
        });
        assert_eq!(reply.status, 200);
    });
}
