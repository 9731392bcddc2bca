//! The DHCP servers of tests: dnsmasq, and busybox's for what dnsmasq does not do (leases of seconds).

use std::path::PathBuf;
use std::process::{Child, Stdio};

use weir_tests::{Directory, installed, until};

use crate::namespace::Namespace;

/// A running one, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Dnsmasq {
    child: Child,
    log: PathBuf,
    _directory: Directory,
}

impl Dnsmasq {
    /// Starts it in `namespace` with these options, and waits until it serves.
    #[track_caller]
    pub(crate) fn start(namespace: &Namespace, options: &[&str]) -> Self {
        Self::start_at(namespace, 0, options)
    }

    /// The same as a name server.
    #[track_caller]
    pub(crate) fn names(namespace: &Namespace, options: &[&str]) -> Self {
        Self::start_at(namespace, 53, options)
    }

    #[track_caller]
    fn start_at(namespace: &Namespace, port: u16, options: &[&str]) -> Self {
        let directory = Directory::new();
        let log = directory.file("log");
        let mut command = installed("dnsmasq");
        command
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--log-dhcp"])
            .args(["--leasefile-ro", "--no-ping"])
            .arg(format!("--log-facility={}", log.display()))
            .arg(format!("--pid-file={}", directory.file("pid").display()))
            .arg(format!("--port={port}"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = namespace.run(move || command.spawn()).unwrap();
        let server = Self { child, log, _directory: directory };
        until("dnsmasq serves", || server.log().contains("started").then_some(()));
        server
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How often it has said this.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// busybox's, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Udhcpd {
    child: Child,
    log: PathBuf,
    _directory: Directory,
}

impl Udhcpd {
    /// Serves 198.51.100.20 on `wan0` for so many seconds, to be renewed after two.
    #[track_caller]
    pub(crate) fn start(namespace: &Namespace, lease_seconds: u32) -> Self {
        let directory = Directory::new();
        let log = directory.file("log");
        let leases = directory.write("leases", "");
        let config = directory.write(
            "udhcpd.conf",
            &format!(
                "interface wan0\nstart 198.51.100.20\nend 198.51.100.20\noption subnet 255.255.255.0\n\
                 option lease {lease_seconds}\noption 0x3a 00000002\nmin_lease 1\nlease_file {}\npidfile {}\n",
                leases.display(),
                directory.file("pid").display(),
            ),
        );
        let mut command = installed("busybox");
        command.args(["udhcpd", "-f", "-I", "198.51.100.1"]).arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let child = namespace.run(move || command.spawn()).unwrap();
        let server = Self { child, log, _directory: directory };
        until("udhcpd serves", || server.log().contains("started").then_some(()));
        server
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Udhcpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
