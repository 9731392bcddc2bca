//! The metrics are what Prometheus can read.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{PLAIN, with};

/// Checks every line; gives the names of the families with their types.
fn validate(text: &str) -> HashMap<String, String> {
    assert!(text.ends_with('\n'));
    let mut families: HashMap<String, String> = HashMap::new();
    let mut helped = HashSet::new();
    let mut series = HashSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "two HELPs: {line}");
            current = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, current, "TYPE does not follow its HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.insert(name.to_owned(), kind.to_owned());
        } else {
            let (id, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(series.insert(id.to_owned()), "twice: {line}");
            let name = id.split('{').next().unwrap();
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{line}"
            );
            let base = match &*families[&current] {
                "histogram" => {
                    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap()
                }
                _ => name,
            };
            assert_eq!(base, current, "outside its family: {line}");
            if let Some(labels) = id.strip_prefix(name).filter(|labels| !labels.is_empty()) {
                validate_labels(labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap());
            }
        }
    }
    families
}

fn validate_labels(mut labels: &str) {
    loop {
        let (name, rest) = labels.split_once("=\"").unwrap();
        assert!(
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{labels}"
        );
        let mut end = 0;
        let bytes = rest.as_bytes();
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        match &rest[end + 1..] {
            "" => return,
            more => labels = more.strip_prefix(',').unwrap(),
        }
    }
}

#[test]
fn every_line_is_valid_and_the_promised_names_are_there() {
    with(PLAIN, async |weir| {
        let reply = weir.get("/metrics").await;
        assert_eq!(reply.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let families = validate(&reply.body);
        for (name, kind) in [
            ("weir_build_info", "gauge"),
            ("weir_config_generation", "gauge"),
            ("weir_config_last_reload_success", "gauge"),
            ("weir_config_last_reload_timestamp_seconds", "gauge"),
            ("weir_config_reloads_total", "counter"),
            ("weir_listener_exchanges_total", "counter"),
            ("weir_listener_responses_total", "counter"),
            ("weir_listener_sessions", "gauge"),
            ("weir_listener_sessions_total", "counter"),
            ("weir_pool_exchanges_total", "counter"),
            ("weir_pool_queue_length", "gauge"),
            ("weir_pool_exchange_seconds", "histogram"),
            ("weir_pool_first_byte_seconds", "histogram"),
            ("weir_server_exchanges_total", "counter"),
            ("weir_server_responses_total", "counter"),
            ("weir_server_up", "gauge"),
            ("weir_server_in_flight", "gauge"),
            ("weir_server_weight", "gauge"),
            ("weir_server_state", "gauge"),
            ("weir_worker_accepted_total", "counter"),
            ("weir_worker_sessions", "gauge"),
            ("weir_access_log_lines_total", "counter"),
            ("weir_access_log_dropped_total", "counter"),
            ("weir_sessions_limit", "gauge"),
            ("process_start_time_seconds", "gauge"),
            ("process_resident_memory_bytes", "gauge"),
            ("process_open_fds", "gauge"),
        ] {
            assert_eq!(families.get(name).map(String::as_str), Some(kind), "{name}");
        }
        let two = "{pool=\"web\",server=\"two\"";
        for line in [
            format!("weir_server_weight{two}}} 3\n"),
            format!("weir_server_state{two},state=\"ready\"}} 1\n"),
            format!("weir_server_state{two},state=\"drain\"}} 0\n"),
            format!("weir_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION")),
            "weir_pool_exchange_seconds_bucket{pool=\"web\",le=\"+Inf\"} 0\n".to_owned(),
        ] {
            assert!(reply.body.contains(&line), "{line}");
        }
    });
}

/// A scrape must not hold up the main thread; the bound is for a release build (`--release --ignored`).
#[test]
#[ignore = "measures; wants a release build"]
fn ten_thousand_servers_are_written_fast() {
    let mut config = PLAIN.to_owned();
    for n in 0..10_000 {
        config += &format!("      - 127.{}.{}.{}:9\n", n >> 16 | 1, n >> 8 & 255, n & 255);
    }
    with(&config, async |weir| {
        for path in ["/metrics", "/api/v1/stats", "/"] {
            let mut best = Duration::MAX;
            for _ in 0..10 {
                let mut socket = TcpStream::connect(weir.admin).await.unwrap();
                let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let begun = Instant::now();
                socket.write_all(request.as_bytes()).await.unwrap();
                socket.read_u8().await.unwrap();
                best = best.min(begun.elapsed());
            }
            println!("{path}: first byte after {best:?}");
            assert!(best < Duration::from_millis(50), "{path}: {best:?}");
        }
    });
}
