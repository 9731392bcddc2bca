//! The real binary as a child process, with a directory, a configuration file and ports of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub use rustix::process::Signal;
use serde_json::Value;

use crate::{Admin, Directory, eventually, try_curl, until};

/// A running Weir, killed when it is dropped. A test that fails shows what it said.
pub struct Weir {
    child: Child,
    /// Its configuration file, its access log, and whatever the test puts there.
    pub directory: Directory,
    said: Arc<Mutex<String>>,
    listening: Option<JoinHandle<()>>,
    admin: SocketAddr,
}

/// The binary, with arguments to follow.
///
/// # Panics
/// When it was not built.
pub fn weir() -> Command {
    let binary = std::env::var_os("WEIR_BIN").map_or_else(built, PathBuf::from);
    assert!(binary.is_file(), "{} was not built; `make unit` does", binary.display());
    Command::new(binary)
}

/// Where cargo puts the binary beside the program of the tests: `TARGET/PROFILE/deps/` holds the latter.
fn built() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(Path::parent).unwrap().join("weir")
}

const CONFIG: &str = "weir.yaml";
const ACCESS_LOG: &str = "access.log";

impl Weir {
    /// Starts with this configuration and waits until it serves. What the text leaves out is filled in: the
    /// version, any free port for the admin API, two workers, an access log in the directory.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(config: &str) -> Self {
        Self::start_in(Directory::new(), config)
    }

    /// The same in a directory that the test has put something into.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start_in(directory: Directory, config: &str) -> Self {
        let file = directory.write(CONFIG, &complete(config, &directory));
        let mut command = weir();
        command.arg("run").arg("--config").arg(file);
        Self::spawn(directory, command)
    }

    /// Runs a command that serves, and waits until it does.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn spawn(directory: Directory, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let listening = {
            let (stderr, said) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
            std::thread::spawn(move || {
                for line in stderr.lines().map_while(Result::ok) {
                    let mut said = said.lock().unwrap();
                    said.push_str(&line);
                    said.push('\n');
                }
            })
        };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut weir = Self { child, directory, said, listening: Some(listening), admin: nowhere };
        weir.admin = until("it says that it serves", || {
            let ended = weir.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended at once: {ended:?}");
            weir.said().lines().find_map(|line| value_after(line, "serving", "admin"))
        });
        let over_tls = weir.said().contains("admin_tls=true");
        eventually("it is ready", || {
            if over_tls {
                let url = format!("https://{}/readyz", weir.admin);
                try_curl(&["--insecure", "--fail", &url]).status.success()
            } else {
                weir.admin().get("/readyz").status == 200
            }
        });
        weir
    }

    /// One listener, `web`, for one pool, `web`, which is this text in YAML's flow or block form.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn with_pool(pool: &str) -> Self {
        Self::start(&one_pool(pool))
    }

    /// The same with these servers and nothing else.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn with_servers(servers: &[SocketAddr]) -> Self {
        Self::with_pool(&format!("{{ servers: {} }}", list(servers)))
    }

    /// Its admin API.
    pub fn admin(&self) -> Admin {
        Admin(self.admin)
    }

    /// Where a listener is, once it is.
    #[track_caller]
    pub fn listener(&self, name: &str) -> SocketAddr {
        until(&format!("listener {name} is bound"), || {
            let listener = format!("listener={name} ");
            let said = self.said();
            let mut lines = said.lines().rev().filter(|line| line.contains(&listener));
            lines.find_map(|line| value_after(line, "listening", "address"))
        })
    }

    /// Where the listener `web` is.
    #[track_caller]
    pub fn web(&self) -> SocketAddr {
        self.listener("web")
    }

    /// All that it has said on standard error.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it says this.
    #[track_caller]
    pub fn await_said(&self, text: &str) {
        eventually(&format!("it says {text:?}"), || self.said().contains(text));
    }

    /// How many times it has said this.
    pub fn times_said(&self, text: &str) -> usize {
        self.said().matches(text).count()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Replaces the configuration file, completed as at the start.
    pub fn write_config(&self, config: &str) {
        self.directory.write(CONFIG, &complete(config, &self.directory));
    }

    /// Replaces the file, sends SIGHUP, and waits until the new configuration is in force.
    #[track_caller]
    pub fn reload(&self, config: &str) {
        self.write_config(config);
        let before = self.times_said("configuration applied");
        self.signal(Signal::HUP);
        eventually("the reload", || self.times_said("configuration applied") > before);
    }

    /// What a configuration looks like once it is completed.
    pub fn completed(&self, config: &str) -> String {
        complete(config, &self.directory)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn await_exit(&mut self) -> ExitStatus {
        until("its end", || self.child.try_wait().unwrap())
    }

    /// The text of the access log.
    pub fn access_log_text(&self) -> String {
        std::fs::read_to_string(self.directory.file(ACCESS_LOG)).unwrap_or_default()
    }

    /// The lines of the access log that are whole.
    ///
    /// # Panics
    /// When one of them is not JSON.
    #[track_caller]
    pub fn access_log(&self) -> Vec<Value> {
        let text = self.access_log_text();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// The line of the access log about this target, once it is there.
    #[track_caller]
    pub fn access_line(&self, target: &str) -> Value {
        until(&format!("an access line about {target}"), || {
            self.access_log().into_iter().find(|line| line["target"] == target)
        })
    }

    /// The memory that it holds, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most memory that it ever held at once, in bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        if std::thread::panicking() {
            eprintln!("--- it said:\n{}--- its access log:\n{}", self.said(), self.access_log_text());
        }
    }
}

/// A configuration with one listener for one pool.
pub fn one_pool(pool: &str) -> String {
    format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}] }} }}\npools:\n  web: {pool}\n"
    )
}

/// Addresses as a list in YAML.
pub fn list(addresses: &[SocketAddr]) -> String {
    let quoted: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn complete(config: &str, directory: &Directory) -> String {
    let access_log = directory.file(ACCESS_LOG);
    let mut complete = String::new();
    for (key, line) in [
        ("version:", "version: 1\n".to_owned()),
        ("workers:", "workers: 2\n".to_owned()),
        ("admin:", "admin: { bind: 127.0.0.1:0 }\n".to_owned()),
        ("log:", format!("log: {{ access: \"{}\" }}\n", access_log.display())),
    ] {
        if !config.lines().any(|given| given.starts_with(key)) {
            complete.push_str(&line);
        }
    }
    complete + config
}

/// The address `name=ADDRESS` in a line that says `event`.
fn value_after(line: &str, event: &str, name: &str) -> Option<SocketAddr> {
    let (_, after) = line.split_once(&format!(" {event} "))?;
    after.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}
