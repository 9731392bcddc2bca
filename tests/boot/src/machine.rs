//! One emulated machine: how it is put together, and how it is watched and ended.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::{Directory, try_curl};

use crate::qmp::Qmp;
use crate::site::ask;
use crate::{Console, Disk, Dist, Firmware, Nic, Site, Source, System, eventually, overlay, until};

/// The ports of the guest that the host can reach.
const PORTS: [u16; 3] = [80, Plan::ADMIN, Plan::HELPER];

/// A network that nobody else is on.
const UNPLUGGED: &str = "hubport,id=net,hubid=1";

/// What is to be started.
#[derive(Debug)]
pub struct Plan {
    directory: Directory,
    firmware: Firmware,
    nic: Nic,
    disk: Disk,
    medium: Option<(PathBuf, &'static str)>,
    kernel: Option<(PathBuf, PathBuf, String)>,
    memory: u32,
    processors: u32,
    plugged: bool,
    seed: Vec<String>,
    words: Option<String>,
    /// What the machine showed when it was started before: it does so once.
    token: Option<String>,
    more: Vec<String>,
}

impl Plan {
    /// Where the appliance's admin API is.
    pub const ADMIN: u16 = 9000;
    /// Where a test's own program in the guest listens, if it adds one.
    pub const HELPER: u16 = 9999;

    /// A machine with a BIOS, a virtio card, 256 MiB, and nothing to start from.
    pub fn bare() -> Self {
        Self {
            directory: Directory::new(),
            firmware: Firmware::SeaBios,
            nic: Nic::Virtio,
            disk: Disk::VirtioBlk,
            medium: None,
            kernel: None,
            memory: 256,
            processors: 1,
            plugged: true,
            seed: Vec::new(),
            words: None,
            token: None,
            more: Vec::new(),
        }
    }

    /// The same with the image on its disk.
    pub fn new(dist: &Dist) -> Self {
        let plan = Self::bare();
        let disk = overlay(&dist.image("qcow2"), "qcow2", &plan.directory.file("disk.qcow2"));
        plan.medium(&disk, "qcow2")
    }

    /// A machine that starts kernel and initramfs itself and has no disk.
    pub fn direct(dist: &Dist, words: &str) -> Self {
        Self::bare().started_with(dist, &dist.initramfs(), words)
    }

    /// With another firmware.
    #[must_use]
    pub fn firmware(mut self, firmware: Firmware) -> Self {
        self.firmware = firmware;
        self
    }

    /// With another network card.
    #[must_use]
    pub fn nic(mut self, nic: Nic) -> Self {
        self.nic = nic;
        self
    }

    /// With its disk on another bus.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// With this file as its disk, in this format.
    #[must_use]
    pub fn medium(mut self, file: &Path, format: &'static str) -> Self {
        self.medium = Some((file.to_owned(), format));
        self
    }

    /// With the image's kernel and this initramfs, started by QEMU, and these words besides those that each start needs.
    #[must_use]
    pub fn started_with(self, dist: &Dist, initramfs: &Path, words: &str) -> Self {
        self.kernel(&dist.kernel(), initramfs, &format!("console=ttyS0,115200 panic=10 {words}"))
    }

    /// With this kernel and initramfs, started by QEMU.
    #[must_use]
    pub fn kernel(mut self, kernel: &Path, initramfs: &Path, words: &str) -> Self {
        self.kernel = Some((kernel.to_owned(), initramfs.to_owned(), words.to_owned()));
        self
    }

    /// With so many MiB of memory.
    #[must_use]
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// With so many processors.
    #[must_use]
    pub fn processors(mut self, processors: u32) -> Self {
        self.processors = processors;
        self
    }

    /// With first-boot data.
    #[must_use]
    pub fn seed(self, source: Source, config: &str) -> Self {
        self.seed_of(source, config, "first")
    }

    /// With first-boot data for this instance.
    #[must_use]
    pub fn seed_of(mut self, source: Source, config: &str, instance: &str) -> Self {
        if source == Source::CommandLine {
            assert!(self.kernel.is_some(), "only a kernel that QEMU starts is told words by it");
            self.words = Some(Source::words(config));
        }
        self.seed = source.arguments(config, instance, self.directory.path());
        self
    }

    /// Without the first-boot data that it had.
    #[must_use]
    pub fn without_seed(mut self) -> Self {
        (self.seed, self.words) = (Vec::new(), None);
        self
    }

    /// With nothing at the other end of its network cable.
    #[must_use]
    pub fn unplugged(mut self) -> Self {
        self.plugged = false;
        self
    }

    /// With more arguments for QEMU.
    #[must_use]
    pub fn with<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.more.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Switches it on.
    ///
    /// # Panics
    /// When QEMU does not start.
    pub fn start(self) -> Machine {
        let (socket, log) = (self.directory.file("qmp"), self.directory.file("serial.log"));
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new("setpriv"); // a test that is killed leaves no machine behind
        command.args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64", "-nodefaults", "-display", "none"]);
        command.args(self.arguments(&socket, &log));
        let errors = std::fs::File::create(self.directory.file("qemu.log")).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(errors);
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let console = Console::new(log, child.stdin.take().expect("it is piped"));
        let mut machine = Machine { plan: self, child, console, qmp: None, ports: Vec::new(), started };
        let mut qmp = Qmp::connect(&socket);
        machine.ports = qmp.forwarded();
        machine.qmp = Some(qmp);
        machine
    }

    fn arguments(&self, socket: &Path, log: &Path) -> Vec<String> {
        let mut list = self.firmware.arguments(&self.directory.file("variables.fd"), self.disk);
        let mut add = |arguments: &[&str]| list.extend(arguments.iter().map(|&argument| argument.to_owned()));
        // Page tables of five levels are for terabytes, and emulation walks them step by step.
        let emulated = &["-accel", "tcg", "-cpu", "max,la57=off"];
        add(if has_kvm() { &["-accel", "kvm", "-cpu", "host"] } else { emulated });
        add(&["-m", &self.memory.to_string(), "-smp", &self.processors.to_string(), "-vga", "std"]);
        add(&["-qmp", &format!("unix:{},server=on,wait=off", socket.display())]);
        add(&["-chardev", &format!("stdio,id=serial,signal=off,logfile={}", log.display())]);
        add(&["-serial", "chardev:serial"]);
        let forwarded: Vec<_> =
            PORTS.iter().map(|port| format!("hostfwd=tcp:127.0.0.1:0-10.0.2.15:{port}")).collect();
        let network =
            if self.plugged { format!("user,id=net,{}", forwarded.join(",")) } else { UNPLUGGED.to_owned() };
        add(&["-netdev", &network]);
        add(&["-device", &format!("{},netdev=net,mac=52:54:00:00:00:01", self.nic.device())]);
        if let Some((file, format)) = &self.medium {
            add(&[
                "-drive",
                &format!("if=none,id=disk,format={format},cache=writeback,file={}", file.display()),
            ]);
            for device in self.disk.devices() {
                add(&["-device", device]);
            }
        }
        if let Some((kernel, initramfs, words)) = &self.kernel {
            let words =
                [words.as_str()].into_iter().chain(self.words.as_deref()).collect::<Vec<_>>().join(" ");
            add(&["-kernel", &kernel.display().to_string(), "-append", &words]);
            add(&["-initrd", &initramfs.display().to_string()]);
        }
        list.extend(self.seed.iter().chain(&self.more).cloned());
        list
    }
}

/// A running machine; it is off when it is dropped.
#[derive(Debug)]
pub struct Machine {
    plan: Plan,
    child: Child,
    /// Its serial line.
    pub console: Console,
    qmp: Option<Qmp>,
    ports: Vec<(u16, u16)>,
    started: Instant,
}

impl Machine {
    /// Where on this host a port of the guest is.
    ///
    /// # Panics
    /// When it is not one of those that are forwarded.
    pub fn address(&self, port: u16) -> SocketAddr {
        let found = self.ports.iter().find(|(guest, _)| *guest == port);
        let (_, host) = found.unwrap_or_else(|| panic!("port {port} is not forwarded: {:?}", self.ports));
        SocketAddr::from(([127, 0, 0, 1], *host))
    }

    /// Waits until it balances over the two servers; how long after power-on the first answer came.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn serves(&self, site: &Site) -> Duration {
        let address = self.address(80);
        until("the first request is answered", || ask(address, Duration::from_millis(500)));
        let first = self.started.elapsed();
        site.served_at(address);
        first
    }

    /// Asks its admin API over TLS; what it answers, if it does.
    pub fn try_admin(&self, arguments: &[&str], path: &str) -> Option<String> {
        let token = self.token()?;
        let (url, header) = (
            format!("https://{}{path}", self.address(Plan::ADMIN)),
            format!("Authorization: Bearer {token}"),
        );
        let output = try_curl(
            &[&["--insecure", "--fail-with-body", "--header", &header], arguments, &[&url]].concat(),
        );
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it says of itself.
    ///
    /// # Panics
    /// When it says nothing.
    #[track_caller]
    pub fn system(&self) -> System {
        let text = until("GET /api/v1/system is answered", || self.try_admin(&[], "/api/v1/system"));
        System(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")))
    }

    /// What it says of itself once this holds.
    ///
    /// # Panics
    /// When it never does.
    #[track_caller]
    pub fn system_when(&self, what: &str, holds: impl Fn(&System) -> bool) -> System {
        until(what, || Some(self.system()).filter(&holds))
    }

    /// The token of its admin API, which the console shows at the first start.
    fn token(&self) -> Option<String> {
        shown_token(&self.console.text()).or_else(|| self.plan.token.clone())
    }

    /// Presses the power button, and waits until it has switched itself off.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn power_off(mut self) -> Stopped {
        self.qmp().execute("system_powerdown", &json!({}));
        let status = self.wait();
        assert!(status.success(), "QEMU ended with {status}");
        self.stopped()
    }

    /// Waits until it is off by itself.
    #[track_caller]
    pub fn off(mut self) -> Stopped {
        self.wait();
        self.stopped()
    }

    /// Pulls the plug.
    pub fn kill(mut self) -> Stopped {
        let _ = self.child.kill();
        self.wait();
        self.stopped()
    }

    /// Commands QEMU.
    pub fn qemu(&mut self, command: &str, arguments: &Value) -> Value {
        self.qmp().execute(command, arguments)
    }

    /// Since power-on.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    fn qmp(&mut self) -> &mut Qmp {
        self.qmp.as_mut().expect("it is connected as long as the machine runs")
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        eventually("the machine is off", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    fn stopped(mut self) -> Stopped {
        let mut plan = std::mem::replace(&mut self.plan, Plan::bare());
        let said = self.console.text();
        plan.token = shown_token(&said).or(plan.token);
        Stopped { plan, said }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let errors = std::fs::read_to_string(self.plan.directory.file("qemu.log")).unwrap_or_default();
            eprintln!("--- the end of the serial line ---\n{}\n---\n{errors}", self.console.end());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A machine that is off: its disk is as it left it.
#[derive(Debug)]
pub struct Stopped {
    /// How it was put together, to start it again.
    pub plan: Plan,
    /// What it said.
    pub said: String,
}

/// Whether the processor can run guests itself.
fn has_kvm() -> bool {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let capable = flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm");
    capable && std::fs::OpenOptions::new().write(true).open("/dev/kvm").is_ok()
}

/// The token in the box that the console shows: `|  Token        abcdefghijklmnopqrstuvwxyz234567 ... |`.
fn shown_token(said: &str) -> Option<String> {
    let rows = said.lines().rev().map(|line| line.split_whitespace());
    rows.filter_map(|mut words| {
        words.find(|word| *word == "Token").and_then(|_| words.next().map(str::to_owned))
    })
    .next()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_token_is_read_from_the_latest_box() {
        let said =
            "|  Token        old   |\n\nconsole: |  Token        abcdef   |\n|  Configured  not yet |\n";
        assert_eq!(super::shown_token(said).as_deref(), Some("abcdef"));
        assert_eq!(super::shown_token("a Token"), None);
    }
}
