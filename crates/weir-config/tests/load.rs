//! Large files are read in time that grows with their size only, be they right or wrong.
//!
//! The bounds are for a debug build on a busy machine; `--release --nocapture` shows what it really takes.

#![expect(clippy::print_stdout, reason = "what helps tests is a test")]

use std::time::{Duration, Instant};

use weir_config::{Diagnostics, Parsed, SHOWN_MAX, parse, to_yaml};

const BOUND: Duration = Duration::from_secs(60);

fn timed(what: &str, text: &str) -> Result<Parsed, Diagnostics> {
    let start = Instant::now();
    let result = parse(text);
    let took = start.elapsed();
    println!("{what}: {} KiB in {took:?}", text.len() >> 10);
    assert!(took < BOUND, "{what} took {took:?}");
    result
}

/// 1,000 pools of 10 servers.
fn many_servers() -> String {
    let mut text = String::from("version: 1\nlisteners:\n  web:\n    bind: 127.0.0.1:8080\n    routes:\n");
    for pool in 0..1000 {
        text += &format!("      - {{ match: {{ host: h{pool}.example.com }}, pool: pool{pool} }}\n");
    }
    text.push_str("pools:\n");
    for pool in 0..1000 {
        text += &format!("  pool{pool}:\n    check: {{ http: /healthz }}\n    servers:\n");
        for server in 0..10 {
            let (a, b) = (pool / 250, pool % 250);
            text += &format!("      - address: 10.{a}.{b}.{server}:8080\n        weight: 3\n");
        }
    }
    text
}

fn many_routes(pool: &str) -> String {
    let mut text = String::from("version: 1\nlisteners:\n  web:\n    bind: 127.0.0.1:8080\n    routes:\n");
    for route in 0..100_000 {
        text += &format!("      - match: {{ host: h{route}.example.com, path_prefix: /v1 }}\n");
        text += &format!("        pool: {pool}\n");
    }
    text.push_str("pools:\n");
    for pool in 0..1000 {
        text += &format!("  pool{pool}: {{ servers: [127.0.0.1:9101] }}\n");
    }
    text
}

#[test]
fn ten_thousand_servers() {
    let parsed = timed("10,000 servers", &many_servers()).unwrap();
    assert_eq!(parsed.config.pools.len(), 1000);
    assert_eq!(parsed.config.pools.iter().map(|pool| pool.servers.len()).sum::<usize>(), 10_000);
    let start = Instant::now();
    let printed = to_yaml(&parsed.config);
    println!("printed in {:?}", start.elapsed());
    assert_eq!(parse(&printed).unwrap().config, parsed.config);
}

#[test]
fn a_hundred_thousand_routes() {
    let parsed = timed("100,000 routes", &many_routes("pool7")).unwrap();
    assert_eq!(parsed.config.listeners[0].routes.len(), 100_000);
    assert_eq!(parsed.warnings.iter().count(), SHOWN_MAX);
    assert_eq!(parsed.warnings.omitted(), 999 - SHOWN_MAX);
}

#[test]
fn a_hundred_thousand_mistakes() {
    let found = timed("100,000 unknown pools", &many_routes("pol7")).unwrap_err();
    assert_eq!(found.errors(), 100_000);
    assert_eq!(found.iter().count(), SHOWN_MAX);
    assert!(found.to_string().ends_with("and 99900 more"));
}

#[test]
fn a_hundred_thousand_duplicates() {
    let text = format!("version: 1\npools:\n{}", "  a: { servers: [127.0.0.1:1] }\n".repeat(100_000));
    assert_eq!(timed("100,000 times the same key", &text).unwrap_err().errors(), 99_999);
    let text = format!("version: 1\n{}", "log: {}\n".repeat(100_000));
    assert_eq!(timed("100,000 times a known key", &text).unwrap_err().errors(), 99_999);
}

#[test]
fn aliases_that_stand_for_billions() {
    let mut text = String::from("version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{items}]\n");
    }
    let found = timed("nested aliases", &text).unwrap_err();
    assert_eq!(found.iter().next().unwrap().message, "the aliases of this file repeat too much");
}

#[test]
fn depth_is_bounded() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        (0..5000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>(),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
    ] {
        assert_eq!(timed("deep", &text).unwrap_err().errors(), 1);
    }
}

#[test]
fn the_size_of_a_file_is_bounded() {
    let text = "#".repeat((64 << 20) + 1);
    let found = timed("a long comment", &text).unwrap_err();
    assert_eq!(found.iter().next().unwrap().message, "the file has 67108865 bytes; the most is 67108864");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes half a minute without optimization")]
fn the_number_of_values_is_bounded() {
    let text = "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],\n".repeat(130_000);
    let found = timed("too many values", &format!("[{text}]")).unwrap_err();
    assert_eq!(found.iter().next().unwrap().message, "the file has too many values");
}
