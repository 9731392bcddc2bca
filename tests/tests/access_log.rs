//! The access log: one line an exchange, whatever became of it, and never at traffic's cost.

use std::time::{Duration, Instant};

use weir_tests::{Client, Directory, Origin, Weir, eventually, get, list, ok, one_pool, until};

#[test]
fn a_line_says_who_asked_what_and_how_it_went() {
    let origin = Origin::answering(|_| ok("hello"));
    let weir =
        Weir::with_pool(&format!("{{ servers: [{{ name: s1, address: \"{}\" }}] }}", origin.address()));
    let mut client = Client::connect(weir.web());
    client.exchange(
        "POST /p?q=1 HTTP/1.1\r\nHost: Www.example.com\r\nUser-Agent: me/1\r\nReferer: http://x/\r\nContent-Length: \
         3\r\n\r\nabc",
    );
    let line = weir.access_line("/p?q=1");
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned();
    assert_eq!(text("client"), client.address().to_string());
    assert_eq!((text("listener"), text("pool"), text("server")), ("web".into(), "web".into(), "s1".into()));
    assert_eq!(text("upstream"), origin.address().to_string());
    assert_eq!((text("method"), text("version")), ("POST".into(), "HTTP/1.1".into()));
    assert!(text("host").eq_ignore_ascii_case("www.example.com"));
    assert_eq!(
        (text("user_agent"), text("referer"), text("end")),
        ("me/1".into(), "http://x/".into(), "--".into())
    );
    assert!(text("time").ends_with('Z') && text("time").contains('T'));
    for (name, number) in [("status", 200), ("request_bytes", 3), ("response_bytes", 5), ("retries", 0)] {
        assert_eq!(line[name].as_u64(), Some(number), "{name}: {line}");
    }
    assert!(line["total_ms"].as_f64() >= line["first_byte_ms"].as_f64(), "{line}");
    assert!(line["connect_ms"].is_number() && line["cause"].is_null(), "{line}");
}

#[test]
fn every_exchange_has_exactly_one_line() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    let clients: Vec<_> = (0..4)
        .map(|thread| {
            let address = weir.web();
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                for n in 0..100 {
                    assert_eq!(client.get(&format!("/{thread}/{n}")).status, 200);
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    eventually("all lines", || weir.access_log().len() == 400);
    let mut targets: Vec<_> =
        weir.access_log().iter().map(|line| line["target"].as_str().unwrap().to_owned()).collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), 400);
}

#[test]
fn what_a_client_writes_can_forge_no_line() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    for (request, status) in [
        (
            "GET /a'}{ HTTP/1.1\r\nHost: a\r\nUser-Agent: \"}\t{\"status\":500}\\ \u{e9}\r\nReferer: \u{9b}2J\r\n\r\n",
            200,
        ),
        ("GET /b HTTP/1.1\r\nHost: a\r\nUser-Agent: \x1b[2J\r\n\r\n", 400),
        ("GET /c\" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ] {
        let mut client = Client::connect(weir.web());
        assert_eq!(client.exchange(request).status, status, "{request:?}");
        drop(client);
    }
    eventually("the lines", || weir.access_log().len() == 3);
    assert_eq!(get(weir.web(), "/end").status, 200);
    weir.access_line("/end");
    let text = weir.access_log_text();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert_eq!(weir.access_log().last().unwrap()["target"], "/end");
}

#[test]
fn the_common_format_is_what_log_readers_expect() {
    let origin = Origin::named("hello");
    let directory = Directory::new();
    let log = directory.file("access.log");
    let weir = Weir::start_in(
        directory,
        &format!(
            "log: {{ access: \"{}\", access_format: common }}\n{}",
            log.display(),
            one_pool(&format!("{{ servers: {} }}", list(&[origin.address()])))
        ),
    );
    assert_eq!(get(weir.web(), "/a?b").status, 200);
    let line = until("the line", || weir.access_log_text().lines().next().map(str::to_owned));
    let (before, after) = line.split_once(" - - [").unwrap();
    assert_eq!(before, "127.0.0.1");
    let (time, rest) = after.split_once("] ").unwrap();
    assert_eq!((time.len(), &time[2..3], &time[20..]), (26, "/", " +0000"), "{time}");
    assert_eq!(rest, "\"GET /a?b HTTP/1.1\" 200 5");
}

#[test]
fn failures_have_their_codes() {
    let broken = Origin::closing(b"not http\r\n\r\n");
    let cut = Origin::closing(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    let silent = Origin::silent();
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    routes:\n      - {{ match: {{ path: /none }}, respond: {{ \
         status: 404 }} }}\n      - {{ match: {{ path: /nobody }}, pool: nobody }}\n      - {{ match: {{ path: /broken \
         }}, pool: broken }}\n      - {{ match: {{ path: /cut }}, pool: cut }}\n      - {{ match: {{ path: /silent }}, \
         pool: silent }}\npools:\n  nobody: {{ servers: [\"{}\"] }}\n  broken: {{ servers: [\"{}\"] }}\n  cut: {{ \
         servers: [\"{}\"] }}\n  silent: {{ servers: [\"{}\"] }}\n",
        Origin::nobody(),
        broken.address(),
        cut.address(),
        silent.address(),
    ));
    let end = |path: &str| {
        let line = weir.access_line(path);
        (line["end"].as_str().unwrap().to_owned(), line["cause"].is_string())
    };
    assert_eq!(get(weir.web(), "/none").status, 404);
    assert_eq!(end("/none"), ("--".to_owned(), false));
    assert_eq!(get(weir.web(), "/other").status, 404);
    assert_eq!(end("/other"), ("PR".to_owned(), true));
    assert_eq!(get(weir.web(), "/nobody").status, 502);
    assert_eq!(end("/nobody"), ("SC".to_owned(), true));
    assert_eq!(get(weir.web(), "/broken").status, 502);
    assert_eq!(end("/broken"), ("SH".to_owned(), true));
    let mut client = Client::connect(weir.web());
    client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_response_to("GET").is_err());
    assert_eq!(end("/cut"), ("SD".to_owned(), true));
    let mut client = Client::connect(weir.web());
    client.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the server has it", || silent.received().ends_with(b"\r\n\r\n"));
    client.reset();
    let line = weir.access_line("/silent");
    assert_eq!(line["end"].as_str().map(|end| &end[..1]), Some("C"), "{line}");
    let mut client = Client::connect(weir.web());
    client.send("BROKEN\r\n\r\n");
    assert_eq!(client.response().status, 400);
    assert_eq!(end("-"), ("CR".to_owned(), true));
}

#[test]
fn a_rotated_file_is_left_at_a_reload_and_no_line_is_lost() {
    let origin = Origin::named("a");
    let config = one_pool(&format!("{{ servers: {} }}", list(&[origin.address()])));
    let weir = Weir::start(&config);
    let log = weir.directory.file("access.log");
    let mut client = Client::connect(weir.web());
    for n in 0..10 {
        client.get(&format!("/{n}"));
    }
    let old = weir.directory.file("access.log.1");
    std::fs::rename(&log, &old).unwrap();
    for n in 10..20 {
        client.get(&format!("/{n}"));
    }
    let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    eventually("the old file has what came before", || lines(&old) == 20);
    weir.reload(&config);
    for n in 20..30 {
        client.get(&format!("/{n}"));
    }
    eventually("the new file has the rest", || lines(&log) == 10);
    assert_eq!(lines(&old), 20);
}

#[test]
fn a_log_that_cannot_be_opened_refuses_the_reload() {
    let origin = Origin::named("a");
    let config = one_pool(&format!("{{ servers: {} }}", list(&[origin.address()])));
    let weir = Weir::start(&config);
    weir.write_config(&format!("log: {{ access: /nowhere/at/all.log }}\n{config}"));
    weir.signal(weir_tests::Signal::HUP);
    weir.await_said("reload refused");
    weir.await_said("/nowhere/at/all.log");
    assert_eq!(get(weir.web(), "/still").status, 200);
    weir.access_line("/still");
}

#[test]
fn a_reader_that_stalls_costs_lines_and_not_time() {
    let origin = Origin::named("a");
    let directory = Directory::new();
    let pipe = directory.file("access.pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Open at both ends, and never read: the pipe fills after 64 KiB.
    let held = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let weir = Weir::start_in(
        directory,
        &format!(
            "log: {{ access: \"{}\", access_buffer: 64KiB }}\n{}",
            pipe.display(),
            one_pool(&format!("{{ servers: {} }}", list(&[origin.address()])))
        ),
    );
    let mut client = Client::connect(weir.web());
    let path = format!("/{}", "x".repeat(2000));
    let mut slowest = Duration::ZERO;
    for _ in 0..500 {
        let began = Instant::now();
        assert_eq!(client.get(&path).status, 200);
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let metrics = weir.admin().get("/metrics").text();
    let dropped = metrics.lines().any(|line| {
        line.contains("access") && line.contains("dropped") && !line.starts_with('#') && !line.ends_with(" 0")
    });
    assert!(dropped, "no metric says that lines were dropped:\n{metrics}");
    drop(held);
}
