//! Programs that other people wrote, running for one test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::{Client, Directory, Origin, eventually};

/// A running program, killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it keeps its things.
    pub directory: Directory,
}

impl Program {
    /// Starts one that is to accept at `address`, and waits until it does.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn serving(address: SocketAddr, command: &mut Command) -> Self {
        Self::serving_in(Directory::new(), address, command)
    }

    #[track_caller]
    fn serving_in(directory: Directory, address: SocketAddr, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` installs it"));
        let program = Self { child, directory };
        eventually(&format!("{command:?} accepts"), || Client::try_connect(address).is_ok());
        program
    }

    /// Starts a program from the system's folders with these arguments and waits until it accepts at `address`.
    ///
    /// # Panics
    /// When it is not installed, or does not accept.
    #[track_caller]
    pub fn start(directory: Directory, name: &str, arguments: &[&str], address: SocketAddr) -> Self {
        let mut command = installed(name);
        command.args(arguments).current_dir(directory.path());
        Self::serving_in(directory, address, &mut command)
    }

    /// Takes TLS off what is sent to `address`, as a client that believes `ca` and asks for `name`: a port to which
    /// plain text is sent.
    ///
    /// # Panics
    /// When socat does not start.
    #[track_caller]
    pub fn tls_client(address: SocketAddr, ca: &str, name: &str) -> (Self, SocketAddr) {
        let port = Origin::free();
        let mut command = installed("socat");
        command.arg(format!("TCP-LISTEN:{},bind={},fork,reuseaddr,nodelay", port.port(), port.ip()));
        command.arg(format!("OPENSSL:{address},cafile={ca},commonname={name},snihost={name},nodelay"));
        (Self::serving(port, &mut command), port)
    }

    /// HAProxy with this configuration, below a `global` and a `defaults` section.
    ///
    /// # Panics
    /// When it does not accept at `address`.
    #[track_caller]
    pub fn haproxy(config: &str, address: SocketAddr) -> Self {
        let directory = Directory::new();
        let file = directory.write(
            "haproxy.cfg",
            &format!(
                "global\n  maxconn 200\ndefaults\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n{config}\n"
            ),
        );
        Self::start(directory, "haproxy", &["-db", "-f", file.to_str().unwrap()], address)
    }

    /// nginx with this `http` section.
    ///
    /// # Panics
    /// When it does not accept at `address`.
    #[track_caller]
    pub fn nginx(http: &str, address: SocketAddr) -> Self {
        let directory = Directory::new();
        let root = directory.path().display().to_string();
        let file = directory.write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
                events {{ worker_connections 256; }}
                http {{
                    access_log {root}/access.log combined;
                    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
                    uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
                    {http}
                }}"
            ),
        );
        let errors = format!("{root}/error.log");
        Self::start(directory, "nginx", &["-p", &root, "-e", &errors, "-c", file.to_str().unwrap()], address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that the system has in one of the usual places.
pub fn installed(name: &str) -> Command {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = places.iter().map(|place| PathBuf::from(place).join(name)).find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| panic!("{name} is not installed; `make test` does")))
}

/// Python with the packages of `tests/python/requirements.txt`, for a script in `tests/python`.
pub fn python(script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(here.join("../target/python/bin/python3"));
    python.arg(here.join("python").join(script));
    python
}

/// Runs curl; all that it says.
///
/// # Panics
/// When there is none.
pub fn try_curl(arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20"]).args(arguments).stdin(Stdio::null());
    command.output().expect("curl is installed; `make test` does")
}

/// Runs curl; its standard output.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn curl(arguments: &[&str]) -> String {
    let output = try_curl(arguments);
    assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
