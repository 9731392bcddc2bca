//! `weir bench origin`: what curl gets from it, what it tells of itself, how it starts and ends.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use weir_tests::{Authority, Wanted, curl, get, weir};

/// An origin, killed when it is dropped.
pub(crate) struct BenchOrigin {
    child: Child,
    stderr: BufReader<ChildStderr>,
    pub(crate) address: SocketAddr,
}

impl BenchOrigin {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = weir();
        command.args(["bench", "origin", "--bind", "127.0.0.1:0"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.split("://").nth(1).and_then(|rest| rest.split('/').next()?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("it says no address: {line}"));
        Self { child, stderr, address }
    }

    /// One of its counters, summed over its threads.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let stats: Value = serde_json::from_slice(&get(self.address, "/stats").body).unwrap();
        stats["threads"].as_array().unwrap().iter().map(|thread| thread[name].as_u64().unwrap()).sum()
    }
}

impl Drop for BenchOrigin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_serves_objects_tells_what_it_did_and_ends_when_asked() {
    let mut origin = BenchOrigin::start(&["--threads", "2"]);
    let url = |path: &str| format!("http://{}{path}", origin.address);
    assert_eq!(curl(&[&url("/?s=100k")]).len(), 102_400);
    assert_eq!(curl(&["--http1.0", &url("/?s=3&k=1")]).len(), 3);
    assert_eq!(curl(&[&url("/?s=20000&k=1")]).len(), 20_000);
    assert_eq!(get(origin.address, "/?r=503&s=7").status, 503);
    assert!(curl(&["--head", &url("/?s=5m")]).contains("Content-Length: 5242880"));
    let sizes: std::collections::BTreeSet<usize> =
        (0..10).map(|_| curl(&[&url("/?s=10-1000")]).len()).collect();
    assert!(sizes.len() > 1 && sizes.iter().all(|size| (10..=1000).contains(size)), "{sizes:?}");
    assert!(origin.counted("requests") >= 14);
    assert_eq!(origin.counted("requests"), origin.counted("answers"));

    let pid = Pid::from_raw(i32::try_from(origin.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(origin.child.wait().unwrap().success());
    let mut said = String::new();
    origin.stderr.read_to_string(&mut said).unwrap();
    assert!(said.contains(" requests, ") && said.contains("processor time"), "{said}");
}

#[test]
fn it_serves_in_tls() {
    let authority = Authority::new();
    let certificate = authority.issue("origin", Wanted { names: "IP:127.0.0.1", ..Wanted::default() });
    let origin = BenchOrigin::start(&["--certificate", &certificate, "--key", &authority.path("origin.key")]);
    let url = format!("https://{}/?s=70k", origin.address);
    assert_eq!(curl(&["--cacert", &authority.ca(), &url]).len(), 71_680);
}

#[test]
fn what_it_can_not_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, status, words) in [
        (&["--bind", &address][..], 1, "in use"),
        (
            &["--certificate", "/nowhere.pem", "--key", "/nowhere.key", "--bind", "127.0.0.1:0"],
            1,
            "/nowhere.pem",
        ),
        (&["--certificate", "/nowhere.pem"], 2, "--key"),
        (&["--threads", "0"], 2, "--threads"),
    ] {
        let output = weir().args(["bench", "origin"]).args(arguments).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
