//! `weir bench inject`: its counts against the origin's and its rates against wrk's, through Weir and without it, and
//! what it refuses.

use std::process::{Output, Stdio};

use serde_json::Value;
use weir_tests::{Authority, Directory, Origin, Wanted, Weir, installed, weir};

use crate::bench_origin::BenchOrigin;

fn inject(arguments: &[&str]) -> Output {
    weir().args(["bench", "inject", "--quiet"]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What came of a load, and the exit status.
fn outcome(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = inject(&[&["--json", "-"], arguments].concat());
    let outcome = serde_json::from_slice(&output.stdout);
    let outcome = outcome.unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&output.stderr)));
    (outcome, output.status.code())
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} of {value}"))
}

#[test]
fn its_counts_are_the_origins() {
    let origin = BenchOrigin::start(&["--threads", "1"]);
    let url = format!("http://{}/?s=10-3000", origin.address);
    for how in [&["--close", "--http", "1.0"][..], &["--requests-per-connection", "5"], &["--rate", "200"]] {
        let before =
            ["connections", "requests", "bytes_sent", "bytes_received"].map(|name| origin.counted(name));
        let (outcome, _) =
            outcome(&[&["--users", "8", "--duration", "1s", "--threads", "1", &url], how].concat());
        let counted =
            ["connections", "requests", "bytes_sent", "bytes_received"].map(|name| origin.counted(name));
        let theirs: Vec<u64> = counted.iter().zip(before).map(|(now, then)| now - then).collect();
        let ours = ["connections", "responses", "bytes_received", "bytes_sent"]
            .map(|name| number(&outcome, &format!("/total/{name}")));
        // Whoever read the counters in between sent and got bytes that are in them.
        assert_eq!(theirs[..2], ours[..2], "{how:?}");
        assert!(theirs[2] >= ours[2] && theirs[3] >= ours[3], "{how:?}: {theirs:?} {ours:?}");
        assert!(number(&outcome, "/measured/responses") > 0);
        assert_eq!(outcome["schema"], "weir-bench-inject");
    }
}

#[test]
fn its_rate_is_wrks() {
    // Each answer takes 20 ms, so the rate is the target's as far as this machine lets it be; what else runs here comes
    // and goes, so the two take turns until the median of their ratios is steady.
    let origin = BenchOrigin::start(&["--threads", "1"]);
    let url = format!("http://{}/?s=1k&t=20", origin.address);
    let mut ratios = Vec::new();
    while ratios.len() < 15 {
        let (outcome, _) = outcome(&["--users", "10", "--duration", "1s", "--threads", "1", &url]);
        let ours = outcome["rates"]["responses_per_second"].as_f64().unwrap();
        let wrk = installed("wrk").args(["-t1", "-c10", "-d1s", &url]).output().unwrap();
        let said = String::from_utf8_lossy(&wrk.stdout).into_owned();
        let theirs =
            said.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse::<f64>().ok());
        ratios.push(ours / theirs.unwrap_or_else(|| panic!("{said}")));
        ratios.sort_by(f64::total_cmp);
        if ratios.len() >= 3 && (ratios[ratios.len() / 2] - 1.0).abs() < 0.05 {
            return;
        }
    }
    panic!("requests a second over wrk's: {ratios:?}");
}

#[test]
fn through_weir_in_every_version_each_request_reaches_the_origin_once() {
    let origin = BenchOrigin::start(&["--threads", "1"]);
    let authority = Authority::new();
    let certificate =
        authority.issue("web", Wanted { names: "DNS:web.test,IP:127.0.0.1", ..Wanted::default() });
    let key = authority.path("web.key");
    let weir = Weir::start(&format!(
        "listeners:\n  web: {{ bind: \"127.0.0.1:0\", routes: [{{ pool: web }}] }}\n  tls:\n    bind: \"127.0.0.1:0\"\n    \
         tls: {{ certificates: [{{ certificate: {certificate}, key: {key} }}] }}\n    routes: [{{ pool: web }}]\n\
         pools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address
    ));
    let (plain, tls) =
        (format!("http://{}/?s=5k", weir.web()), format!("https://{}/?s=5k", weir.listener("tls")));
    let ca = authority.ca();
    let stats = format!("http://{}/stats", origin.address);
    for how in [
        &[plain.as_str(), "--http", "1.0", "--close"][..],
        &[&plain],
        &[&plain, "--http", "2", "--streams", "4"],
        &[&tls, "--ca", &ca],
        &[&tls, "--ca", &ca, "--close", "--http", "1.0"],
        &[&tls, "--insecure", "--http", "2", "--streams", "4", "--resume"],
        &[&tls, "--ca", &ca, "--http", "2", "--close"],
    ] {
        let before = origin.counted("answers");
        let common = ["--users", "8", "--duration", "500ms", "--origin-stats", &stats];
        let (outcome, _) = outcome(&[&common, how].concat());
        let counted = origin.counted("answers") - before;
        assert_eq!(outcome["total"]["errors"]["status"], 0, "{how:?}");
        assert_eq!(number(&outcome, "/total/responses"), counted, "{how:?}: {}", outcome["total"]);
        assert_eq!(number(&outcome, "/total/body_bytes"), counted * 5120, "{how:?}");
        assert!(number(&outcome, "/origin/requests") > 0, "{how:?}");
    }
}

#[test]
fn what_it_says_is_for_people_and_begins_with_the_limit() {
    let origin = BenchOrigin::start(&["--threads", "1"]);
    let url = format!("http://{}/?s=1k&t=5", origin.address);
    let output = weir().args(["bench", "inject", "--duration", "2s", "--users", "3", &url]).output().unwrap();
    let (text, lines) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(text.lines().next().unwrap().contains("limit") || text.contains("processor"), "{text}");
    for part in ["requests/s", "connections/s", "p99", "injector:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(lines.lines().count(), 3, "a title and two seconds: {lines}");
    assert!(!lines.contains('\x1b') && !lines.contains('\r'), "{lines:?}");
}

#[test]
fn what_can_not_be_is_told_before_any_load() {
    let free = Origin::free();
    let nowhere = format!("http://{free}/");
    for (arguments, status, words) in [
        (&[nowhere.as_str()][..], 1, "nothing listens there"),
        (&["http://no.such.host.invalid/"], 1, "no.such.host.invalid"),
        (&[&nowhere, "http://127.0.0.1:1/"], 1, "another target"),
        (&[&nowhere, "--source", "192.0.2.1"], 1, "--source"),
        (&[&nowhere, "--streams", "3"], 1, "--streams"),
        (&["127.0.0.1:80"], 2, "scheme"),
        (&["https://127.0.0.1/", "--ca", "/nowhere.pem"], 1, "/nowhere.pem"),
        (&[&nowhere, "--duration", "10"], 2, "500ms"),
        (&[], 2, "URL"),
    ] {
        let output = inject(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(words) && output.stdout.is_empty(), "{arguments:?}: {said}");
    }
}

#[test]
fn too_few_files_are_told_with_the_setting_to_raise() {
    let origin = BenchOrigin::start(&["--threads", "1"]);
    let url = format!("http://{}/", origin.address);
    let script = "ulimit -n 100 && exec \"$0\" bench inject --users 1000 \"$1\"";
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", script]).arg(weir().get_program()).arg(&url).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1064 open files") && said.contains("ulimit"), "{said}");
    assert_eq!(origin.counted("connections"), 0);
}

#[test]
fn an_untrusted_certificate_is_told_with_what_to_do() {
    let authority = Authority::new();
    let certificate = authority.issue("origin", Wanted { names: "IP:127.0.0.1", ..Wanted::default() });
    let origin = BenchOrigin::start(&["--certificate", &certificate, "--key", &authority.path("origin.key")]);
    let url = format!("https://{}/", origin.address);
    let directory = Directory::new();
    let other = Authority::new();
    std::fs::copy(other.ca(), directory.file("other.pem")).unwrap();
    let output = inject(&[&url, "--ca", directory.file("other.pem").to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--ca") && said.contains(&origin.address.to_string()), "{said}");
}
