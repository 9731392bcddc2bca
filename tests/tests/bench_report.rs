//! `weir bench matrix` and `weir bench report`: scenarios and results in, measurements and pages out.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use weir_tests::{Directory, weir};

fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        weir().args(arguments).current_dir(directory).stdin(Stdio::null()).output().unwrap();
    assert!(stdout.is_empty(), "{:?}", String::from_utf8_lossy(&stdout));
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

/// A port that is free now.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Results of two targets at three sizes, the second at a quarter of the first's rate.
fn results() -> Value {
    let mut measurements = Vec::new();
    for (target, rate) in [("native", 8000.0), ("<i>card", 2000.0)] {
        for size in [0, 1024, 65_536] {
            for round in 0..3 {
                let rate = rate + 10.0 * f64::from(round);
                measurements.push(json!({
                    "target": target, "mode": "close", "size": size, "round": round, "started_unix_ms": 0, "seconds": 1.0,
                    "connections_per_second": rate, "requests_per_second": rate, "bits_per_second": rate * 8.0 * f64::from(size + 200),
                    "latency": { "p50_us": 1.0, "p90_us": 2.0, "p99_us": 3.0, "p999_us": 4.0, "max_us": 5.0 },
                    "responses": 2000, "errors": {}, "injector_busy": 0.5, "limit": "target",
                }));
            }
        }
    }
    json!({
        "schema": "weir-bench-results", "version": 1, "started_unix_ms": 1_795_737_600_000_u64,
        "scenario": {
            "title": "Rack & <b>four</b>", "sizes": [0, 1024, 65_536], "modes": ["close"], "rounds": 3, "duration_ms": 1000,
            "warm_up_ms": 0, "users": 8, "native": "native", "targets": [
                { "name": "native", "url": "http://192.0.2.1/" }, { "name": "<i>card", "url": "http://192.0.2.2/" },
            ],
        },
        "injector": {}, "targets": [{ "name": "native" }, { "name": "<i>card", "card": "e1000" }],
        "measurements": measurements,
    })
}

#[test]
fn a_report_is_a_page_that_needs_nothing_else_with_pictures_and_tables() {
    let directory = Directory::new();
    directory.write("r.json", &results().to_string());
    let (status, said) = run(directory.path(), &["bench", "report", "r.json", "--out", "out"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("loses 75 %"), "{said}");
    let read = |name: &str| fs::read(directory.path().join("out").join(name)).unwrap();
    let page = String::from_utf8(read("report.html")).unwrap();
    assert!(page.contains("Rack &amp; &lt;b&gt;four&lt;/b&gt;") && page.contains("2026-11-27"), "{page}");
    assert_eq!(page.matches("<svg ").count(), 3);
    // What a page needs from elsewhere, or runs, is none; and names stay text.
    for absent in ["<script", "<link", "src=", "url(", "<i>card", "<b>four", "NaN"] {
        assert!(!page.contains(absent), "{absent} is in the page");
    }
    for name in ["close-rate", "close-bandwidth", "close-loss"] {
        assert!(read(&format!("{name}.png")).starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(
            String::from_utf8(read(&format!("{name}.svg"))).unwrap().contains("prefers-color-scheme:dark")
        );
    }
    let csv = String::from_utf8(read("measurements.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 18);
    assert!(String::from_utf8(read("report.md")).unwrap().contains("| native | 8,010 ±"));
}

#[test]
fn several_runs_are_compared() {
    let directory = Directory::new();
    let mut later = results();
    for one in later["measurements"].as_array_mut().unwrap() {
        if one["target"] == "native" {
            let rate = one["requests_per_second"].as_f64().unwrap();
            one["requests_per_second"] = (rate * 1.5).into();
        }
    }
    directory.write("a.json", &results().to_string());
    directory.write("b.json", &later.to_string());
    let (status, said) = run(directory.path(), &["bench", "report", "a.json", "b.json"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("native +50 % in connections a second"), "{said}");
    assert!(directory.path().join("report/run2-close-rate.png").exists());
}

#[test]
fn results_that_are_none_are_refused_with_the_remedy() {
    let directory = Directory::new();
    let mut newer = results();
    newer["version"] = 7.into();
    directory.write("newer.json", &newer.to_string());
    directory.write("other.json", "{\"schema\": \"weir-bench-inject\", \"version\": 1}");
    for (file, words) in
        [("newer.json", "version 7"), ("other.json", "weir-bench-inject"), ("none.json", "can't read")]
    {
        let (status, said) = run(directory.path(), &["bench", "report", file]);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(words) && said.contains(file), "{said}");
        assert!(!directory.path().join("report").exists());
    }
}

#[test]
fn a_scenario_shows_every_mistake_with_its_place() {
    let directory = Directory::new();
    directory
        .write("s.yaml", "version: 1\nsizes: [1KB]\nmods: [close]\ntargets:\n  a: { url: 192.0.2.1:80 }\n");
    let (status, said) = run(directory.path(), &["bench", "matrix", "s.yaml", "--check"]);
    assert_eq!(status, Some(1));
    for expected in
        ["s.yaml:2:9", "`1KiB`", "s.yaml:3:1", "`modes`", "s.yaml:5:13", "http://192.0.2.1:80/", "3 errors"]
    {
        assert!(said.contains(expected), "{expected} is missing:\n{said}");
    }
}

#[test]
fn a_matrix_is_measured_once_and_goes_on_where_it_stopped() {
    let directory = Directory::new();
    let (origin, dead) = (free_address(), free_address());
    let binary = weir().get_program().to_string_lossy().into_owned();
    let scenario = |rounds: u32, users: u32| {
        format!(
            "version: 1\ntitle: A try\nsizes: [0, 2KiB]\nmodes: [close, keep_alive]\nrounds: {rounds}\nduration: 300ms\n\
             warm_up: 0s\nusers: {users}\nthreads: 1\ntargets:\n  native:\n    url: http://{origin}/\n    \
             start: [\"{binary}\", bench, origin, --bind, \"{origin}\", --threads, \"1\"]\n  dead:\n    url: http://{dead}/\n    \
             ready_within: 300ms\n"
        )
    };
    directory.write("s.yaml", &scenario(1, 2));
    let (status, said) = run(directory.path(), &["bench", "matrix", "s.yaml"]);
    // What can't be reached costs its own measurements, and no other's.
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("dead was not ready") && said.contains("4 measurements made, 4 missing"), "{said}");
    let results = || {
        serde_json::from_slice::<Value>(&fs::read(directory.path().join("s.results.json")).unwrap()).unwrap()
    };
    let first = results();
    assert_eq!(first["failures"][0]["target"], "dead");
    for one in first["measurements"].as_array().unwrap() {
        assert_eq!(one["target"], "native");
        assert!(one["responses"].as_u64().unwrap() > 0, "{one}");
        assert!(one["host"]["seconds"].as_f64().is_some(), "{one}");
    }
    // The same with another round goes on; the first round's measurements stay as they are.
    directory.write("s.yaml", &scenario(2, 2));
    let (_, said) = run(directory.path(), &["bench", "matrix", "s.yaml"]);
    assert!(said.contains("goes on after 4 measurements"), "{said}");
    let second = results();
    assert_eq!(second["measurements"].as_array().unwrap().len(), 8);
    assert_eq!(second["measurements"][0], first["measurements"][0]);
    // Another scenario is refused, and replaces these results only when it is told to.
    directory.write("s.yaml", &scenario(1, 3));
    let (status, said) = run(directory.path(), &["bench", "matrix", "s.yaml"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("3 `users` instead of 2") && said.contains("--restart"), "{said}");
    assert_eq!(results(), second);
    let (_, said) = run(directory.path(), &["bench", "matrix", "s.yaml", "--restart"]);
    assert!(said.contains("4 measurements made"), "{said}");
    assert_eq!(results()["measurements"].as_array().unwrap().len(), 4);
    let (status, _) = run(directory.path(), &["bench", "report", "s.results.json"]);
    assert_eq!(status, Some(0));
}
