//! Programs that other people wrote, as child processes.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::eventually;

/// A program that runs until it is dropped.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts `program`, which is installed by `make test`, and waits until it listens at `address`.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn listening(mut program: Command, address: SocketAddr) -> Self {
        let what = format!("{:?}", program.get_program());
        program.stdin(Stdio::null()).stdout(Stdio::null());
        let child =
            program.spawn().unwrap_or_else(|error| panic!("{what}: {error}; `make test` installs it"));
        let program = Self(child);
        eventually(&format!("{what} listens"), || TcpStream::connect(address).is_ok());
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Python with the packages of `tests/python/requirements.txt`, for a script in `tests/python`.
pub fn python(script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(here.join("../target/python/bin/python3"));
    python.arg(here.join("python").join(script));
    python
}
