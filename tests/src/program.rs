//! A program that somebody else wrote, running for one test.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::{Client, Directory, eventually};

/// A running program, killed when it is dropped.
pub struct Program {
    child: Child,
    /// Where it keeps its things.
    pub directory: Directory,
}

impl Program {
    /// Starts a program from the system's folders with these arguments and waits until it accepts at `address`.
    ///
    /// # Panics
    /// When it is not installed, or does not accept.
    #[track_caller]
    pub fn start(directory: Directory, name: &str, arguments: &[&str], address: SocketAddr) -> Self {
        let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
        let child =
            Command::new(found.unwrap_or_else(|| panic!("{name} is not installed; `make test` does")))
                .args(arguments)
                .current_dir(directory.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
        let program = Self { child, directory };
        eventually(&format!("{name} accepts"), || Client::try_connect(address).is_ok());
        program
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

/// Runs curl; its standard output.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("curl is installed; `make test` does");
    assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
