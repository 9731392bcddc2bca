//! What a guest asks VMware's host (RPCI): guestinfo's values, and the guest's own state. Works on anything that reads and
//! writes; [`connect`] is the one that reaches a host.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, VsockAddr, bind, connect as connect_socket, socket,
};

use super::packet;
use crate::agents::timed::Timed;

/// Where the host listens (open-vm-tools' `tclodefs.h`).
pub(crate) const TCLO_PORT: u32 = 975;
pub(crate) const RPCI_PORT: u32 = 976;
/// `VMADDR_CID_HYPERVISOR` and `VMADDR_CID_ANY`.
const HOST: u32 = 0;
const ANY: u32 = u32::MAX;
/// The ports that only a guest's administrator can have; from the highest down, the first that is free.
const PRIVILEGED_PORTS: std::ops::RangeInclusive<u32> = 1000..=1023;

/// What can go wrong with the host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RpcError {
    #[error("no connection to the host over vSockets: {0}; the virtual machine needs its VMCI device")]
    NoHost(io::Error),
    #[error("the host's connection: {0}")]
    Io(io::Error),
    #[error("a message of the host that is none")]
    Malformed,
}

/// What the host says to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) is_taken: bool,
    pub(crate) text: Vec<u8>,
}

/// The host, to ask something.
pub(crate) trait Rpci {
    /// Sends a command, and takes what the host says to it. What it does not know it refuses.
    fn call(&mut self, command: &[u8]) -> Result<Reply, RpcError>;

    /// A value of guestinfo, by its whole key; None where there is none.
    fn guestinfo(&mut self, key: &str) -> Result<Option<Vec<u8>>, RpcError> {
        let reply = self.call(format!("info-get {key}").as_bytes())?;
        Ok(if reply.is_taken { Some(reply.text) } else { None })
    }

    /// Sets a value of guestinfo; whether the host took it. There is no removing.
    fn set_guestinfo(&mut self, key: &str, value: &str) -> Result<bool, RpcError> {
        Ok(self.call(format!("info-set {key} {value}").as_bytes())?.is_taken)
    }
}

/// A connection over which the guest asks.
#[derive(Debug)]
pub(crate) struct Channel<T>(T);

impl<T: Read + Write> Channel<T> {
    pub(crate) fn new(socket: T) -> Self {
        Self(socket)
    }
}

impl<T: Read + Write> Rpci for Channel<T> {
    fn call(&mut self, command: &[u8]) -> Result<Reply, RpcError> {
        packet::send(&mut self.0, packet::DATA, Some(command))?;
        let reply = packet::receive(&mut self.0)?.payload;
        match reply.split_at_checked(2) {
            Some((b"1 ", rest)) => Ok(Reply { is_taken: true, text: rest.to_vec() }),
            Some((b"0 ", rest)) => Ok(Reply { is_taken: false, text: rest.to_vec() }),
            Some(_) | None => Err(RpcError::Malformed),
        }
    }
}

/// Connects to the host's port, with a port of our own that only an administrator can have; without that, the host
/// takes no state of the guest.
pub(crate) fn connect(port: u32, limit: Duration) -> Result<Timed, RpcError> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for own in PRIVILEGED_PORTS.rev() {
        match attempt(port, own) {
            Ok(file) => return Ok(Timed { file, limit }),
            // Taken, or not yet given up by the host.
            Err(error @ (nix::Error::EADDRINUSE | nix::Error::ECONNRESET)) => last = error.into(),
            Err(error) => return Err(RpcError::NoHost(error.into())),
        }
    }
    Err(RpcError::NoHost(last))
}

fn attempt(port: u32, own: u32) -> nix::Result<File> {
    use std::os::fd::AsRawFd;
    let socket = socket(AddressFamily::Vsock, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &VsockAddr::new(ANY, own))?;
    connect_socket(socket.as_raw_fd(), &VsockAddr::new(HOST, port))?;
    Ok(File::from(socket))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A host that knows guestinfo alone.
    #[derive(Debug, Default)]
    pub(crate) struct Fake(pub(crate) BTreeMap<String, String>);

    impl Rpci for Fake {
        fn call(&mut self, command: &[u8]) -> Result<Reply, RpcError> {
            let command = std::str::from_utf8(command).unwrap();
            if let Some(key) = command.strip_prefix("info-get ") {
                let value = self.0.get(key).map(|value| value.clone().into_bytes());
                return Ok(Reply { is_taken: value.is_some(), text: value.unwrap_or_default() });
            }
            let (key, value) = command.strip_prefix("info-set ").unwrap().split_once(' ').unwrap();
            self.0.insert(key.to_owned(), value.to_owned());
            Ok(Reply { is_taken: true, text: Vec::new() })
        }
    }

    #[test]
    fn a_command_goes_out_and_its_reply_comes_back() {
        let (ours, mut host) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for reply in ["1 value", "0 No value found", "?"] {
                asked.push(packet::receive(&mut host).unwrap().payload);
                packet::send(&mut host, packet::DATA, Some(reply.as_bytes())).unwrap();
            }
            asked
        });
        let mut channel = Channel::new(ours);
        assert_eq!(channel.guestinfo("guestinfo.a").unwrap(), Some(b"value".to_vec()));
        assert_eq!(channel.guestinfo("guestinfo.b").unwrap(), None);
        assert!(matches!(channel.set_guestinfo("guestinfo.c", "d"), Err(RpcError::Malformed)));
        let asked = thread.join().unwrap();
        assert_eq!(
            asked,
            [
                b"info-get guestinfo.a".to_vec(),
                b"info-get guestinfo.b".to_vec(),
                b"info-set guestinfo.c d".to_vec()
            ]
        );
    }
}
