//! Programs that other people wrote.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::{Client, Origin, eventually};

/// A program that runs until it is dropped.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts one that is to accept at `address`, and waits until it does.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn serving(address: SocketAddr, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` installs it"));
        let program = Self(child);
        eventually(&format!("{command:?} accepts"), || Client::try_connect(address).is_ok());
        program
    }

    /// Takes TLS off what is sent to `address`, as a client that believes `ca` and asks for `name`: a port to which
    /// plain text is sent.
    ///
    /// # Panics
    /// When socat does not start.
    #[track_caller]
    pub fn tls_client(address: SocketAddr, ca: &str, name: &str) -> (Self, SocketAddr) {
        let port = Origin::free();
        let mut command = Command::new("socat");
        command.arg(format!("TCP-LISTEN:{},bind={},fork,reuseaddr,nodelay", port.port(), port.ip()));
        command.arg(format!("OPENSSL:{address},cafile={ca},commonname={name},snihost={name},nodelay"));
        (Self::serving(port, &mut command), port)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that the system has in one of the usual places.
pub fn installed(name: &str) -> Command {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = places.iter().map(|place| PathBuf::from(place).join(name)).find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| panic!("{name} is not installed; `make test` does")))
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
