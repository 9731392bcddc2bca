//! The command line: exit statuses, diagnostics on standard error, data on standard output.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;
use weir_tests::{Directory, Weir, get, weir};

fn run(arguments: &[&str]) -> Output {
    weir().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn check(text: &str) -> (Option<i32>, String) {
    let directory = Directory::new();
    let file = directory.write("candidate.yaml", text);
    let output = run(&["check", "--config", file.to_str().unwrap()]);
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

const EXAMPLE: &str = include_str!("../../configs/contract.yaml");

#[test]
fn a_good_file_passes_and_a_bad_one_shows_every_mistake_with_its_place() {
    assert_eq!(check(EXAMPLE).0, Some(0));
    let (status, said) = check(
        "version: 1
listeners:
  web:
    bind: 127.0.0.1:99999
    routes:
      - pool: wbe
pools:
  web:
    balance: round_robbin
    servers: [127.0.0.1:9101]
    timeouts: { conect: 1s }
  web2:
    servers: [127.0.0.1:9101]
    check: { http: /, interval: fast }
",
    );
    assert_eq!(status, Some(1));
    for expected in [
        "candidate.yaml:4:11",
        "99999",
        "candidate.yaml:6:15",
        "wbe",
        "candidate.yaml:9:14",
        "round_robbin",
        "round_robin",
        "candidate.yaml:11:17",
        "conect",
        "connect",
        "candidate.yaml:14:33",
        "fast",
        "5 errors",
    ] {
        assert!(said.contains(expected), "{expected} is missing:\n{said}");
    }
    assert!(!said.contains('\x1b'), "colours without a terminal:\n{said:?}");
}

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    for text in
        ["version: 1\nlisteners: [\n", "listeners:\n\tweb: {}\n", "version: 1\nversion: 1\n", "", "- 1\n"]
    {
        let (status, said) = check(text);
        assert_eq!(status, Some(1), "{text:?}: {said}");
        assert!(said.contains("candidate.yaml:"), "{text:?}: {said}");
    }
}

#[test]
fn wrong_usage_is_2_and_a_missing_file_is_1() {
    for arguments in [&["check"][..], &["frobnicate"], &["run"], &["check", "--config"], &["--nonsense"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
    for command in ["check", "run"] {
        let output = run(&[command, "--config", "/nowhere/weir.yaml"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/weir.yaml"));
    }
}

#[test]
fn a_start_with_a_bad_file_or_a_taken_port_is_refused() {
    let directory = Directory::new();
    let file = directory.write("bad.yaml", "version: 1\nlisteners: {}\npols: {}\n");
    let output = run(&["run", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.yaml:3:1"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for text in [
        format!(
            "version: 1\nadmin: {{ bind: 127.0.0.1:0 }}\nlisteners: {{ web: {{ bind: \"{address}\", routes: [{{ respond: {{}} \
             }}] }} }}\npools: {{ p: {{ servers: [127.0.0.1:1] }} }}\n"
        ),
        format!(
            "version: 1\nadmin: {{ bind: \"{address}\" }}\nlisteners: {{ web: {{ bind: 127.0.0.1:0, routes: [{{ respond: {{}} \
             }}] }} }}\npools: {{ p: {{ servers: [127.0.0.1:1] }} }}\n"
        ),
    ] {
        let file = directory.write("taken.yaml", &text);
        let output = run(&["run", "--config", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&address.to_string()), "{said}");
    }
}

#[test]
fn the_text_can_be_checked_where_its_certificates_are_not() {
    let directory = Directory::new();
    let file = directory.write(
        "weir.yaml",
        "version: 1\nlisteners: { web: { bind: 127.0.0.1:0, tls: { certificates: nowhere.pem }, routes: [pool: a] } }\n\
         pools: { a: { servers: [127.0.0.1:1] } }\n",
    );
    let file = file.to_str().unwrap();
    let here = run(&["check", "--config", file]);
    assert_eq!(here.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&here.stderr).contains("can't read `nowhere.pem`"), "{here:?}");
    let elsewhere = run(&["check", "--text-only", "--config", file]);
    assert_eq!(elsewhere.status.code(), Some(0), "{elsewhere:?}");
}

#[test]
fn check_reads_standard_input() {
    let mut child = weir()
        .args(["check", "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_schema_is_json_and_states_defaults() {
    let output = run(&["schema"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["$schema"].is_string() && schema["properties"]["listeners"].is_object());
    assert!(schema.to_string().contains("\"default\""));
    let reference = run(&["schema", "--reference"]);
    let page = String::from_utf8(reference.stdout).unwrap();
    for name in ["request_head", "tunnel_idle", "max_connections", "hash_header"] {
        assert!(page.contains(name), "{name}");
    }
}

#[test]
fn help_names_every_command() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for command in ["run", "check", "demo", "schema", "bench"] {
        assert!(help.contains(command), "{help}");
    }
    assert_eq!(run(&["--version"]).status.code(), Some(0));
}

#[test]
fn the_contracts_example_serves_unchanged() {
    // Its ports may be somebody's here, so it gets a network of its own where the kernel gives one out.
    let alone = std::process::Command::new("unshare").args(["-rn", "true"]).output();
    if !alone.is_ok_and(|output| output.status.success()) {
        // Else with other ports, and not one byte more changed.
        let other = EXAMPLE.replace("127.0.0.1:9000", "127.0.0.1:0").replace("127.0.0.1:8080", "127.0.0.1:0");
        let directory = Directory::new();
        let file = directory.write("contract.yaml", &other);
        let mut command = weir();
        command.arg("run").arg("--config").arg(file);
        let serving = Weir::spawn(directory, command);
        assert_eq!(get(serving.web(), "/").status, 502);
        return;
    }
    let directory = Directory::new();
    let file = directory.write("contract.yaml", EXAMPLE);
    let script = r#"
        ip link set lo up || exit 90
        "$0" run --config "$1" > /dev/null 2> "$2" &
        pid=$!
        for _ in $(seq 400); do
            curl --silent --fail http://127.0.0.1:9000/readyz > /dev/null && break
            sleep 0.05
        done
        curl --silent --fail http://127.0.0.1:9000/readyz > /dev/null || exit 91
        [ "$(curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:8080/)" -ge 502 ] || exit 92
        kill -TERM $pid
        wait $pid
    "#;
    let said = directory.file("said");
    let binary = weir();
    let output = std::process::Command::new("unshare")
        .args(["-rn", "sh", "-c", script])
        .args([binary.get_program(), file.as_os_str(), said.as_os_str()])
        .output()
        .unwrap();
    let said = std::fs::read_to_string(said).unwrap_or_default();
    assert!(output.status.success(), "{output:?}\n{said}");
}

#[test]
fn the_machines_own_settings_are_left_alone_on_a_host() {
    let system = "system: { hostname: never, interfaces: { lan: { match: { driver: none } } } }\n";
    let weir = Weir::start(&format!("{system}{}", weir_tests::one_pool("{ servers: [127.0.0.1:1] }")));
    weir.await_said("`system` in the file is for the appliance");
    assert!(weir.admin().get("/api/v1/config").text().contains("hostname: never"));
    let told = weir.admin().json("/api/v1/system");
    assert!(told["hostname"] != "never" && told["appliance"].is_null(), "{told}");
}

#[test]
fn the_demo_balances_three_servers_on_its_own() {
    let mut command = weir();
    command.args(["demo", "--bind", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let demo = Weir::spawn(Directory::new(), command);
    let mut answers = std::collections::BTreeSet::new();
    for _ in 0..12 {
        let response = get(demo.web(), "/");
        assert_eq!(response.status, 200);
        answers.insert(response.text().lines().next().unwrap_or_default().to_owned());
    }
    assert_eq!(answers.len(), 3, "{answers:?}");
}

#[test]
fn the_binary_needs_nothing_beside_it() {
    let binary = std::fs::read(weir().get_program()).unwrap();
    // ELF64: e_phoff at 32, e_phentsize at 54, e_phnum at 56; p_type leads each entry.
    let number = |at: usize, bytes: usize| {
        binary[at..at + bytes].iter().rev().fold(0_usize, |number, &byte| number << 8 | usize::from(byte))
    };
    const PT_INTERP: usize = 3;
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let interpreted = (0..count).any(|entry| number(start + entry * size, 4) == PT_INTERP);
    assert!(count > 0 && !interpreted, "it asks for a dynamic linker");
}
