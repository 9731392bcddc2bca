//! Sockets towards the target: from which address, begun without waiting, and what it means when one fails.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with, sockopt};

use super::options::Ending;
use super::outcome::ErrorKind;

/// How sockets are made.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    address: SocketAddr,
    sources: Vec<IpAddr>,
    ending: Ending,
}

/// A socket whose connection has been begun.
#[derive(Debug)]
pub(super) struct Dialed {
    pub(super) socket: OwnedFd,
}

impl Dialer {
    pub(super) fn new(address: SocketAddr, sources: &[IpAddr], ending: Ending) -> Self {
        Self { address, sources: sources.to_vec(), ending }
    }

    /// Begins a connection, from the source of this number, which goes round.
    ///
    /// # Errors
    /// With the kind that it is counted as, and what the system said.
    pub(super) fn begin(&self, number: u64) -> Result<Dialed, (ErrorKind, io::Error)> {
        let family = if self.address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)).map_err(classified)?;
        // With a request to come at once, the handshake's last ACK can wait for it: a packet less for each connection.
        // Where that can't be said, it is a packet more.
        let _ = sockopt::set_tcp_quickack(&socket, false);
        if self.ending == Ending::Reset {
            sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).map_err(classified)?;
        }
        if !self.sources.is_empty() {
            let at = usize::try_from(number % self.sources.len() as u64).unwrap_or(0);
            // So that a port is taken for the pair of addresses, not for this address alone, and only when connecting.
            let _ =
                nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true);
            sockopt::set_socket_reuseaddr(&socket, true).map_err(classified)?;
            bind(&socket, &SocketAddr::new(self.sources[at], 0)).map_err(classified)?;
        }
        match connect(&socket, &self.address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Dialed { socket }),
            Err(error) => Err(classified(error)),
        }
    }
}

fn classified(error: Errno) -> (ErrorKind, io::Error) {
    let error = io::Error::from(error);
    (connecting(&error), error)
}

/// What an error is, of a connection that isn't one yet.
pub(super) fn connecting(error: &io::Error) -> ErrorKind {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => ErrorKind::FilesExhausted,
        Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE | Errno::AGAIN) => ErrorKind::PortsExhausted,
        Some(Errno::CONNREFUSED) => ErrorKind::ConnectRefused,
        Some(Errno::TIMEDOUT) => ErrorKind::ConnectTimeout,
        Some(Errno::CONNRESET | Errno::PIPE | Errno::NOTCONN) => ErrorKind::ConnectReset,
        Some(_) | None => ErrorKind::Unreachable,
    }
}

/// What to look at, in words, when the target can't be connected to at all.
pub(super) fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectRefused => "nothing listens there; start the target, or look at the port",
        ErrorKind::ConnectTimeout => "nothing answers there; look at the address, and at filters on the way",
        ErrorKind::ConnectReset => "it ends connections at once; look at its own limits and filters",
        ErrorKind::Unreachable => "there is no way to it; look at the address, the routes and --source",
        ErrorKind::PortsExhausted => {
            "there is no port to come from; look at --source, which has to be this machine's, and at \
             net.ipv4.ip_local_port_range"
        }
        ErrorKind::FilesExhausted => "no more files can be opened; raise `ulimit -n`",
        ErrorKind::Tls
        | ErrorKind::NoAnswer
        | ErrorKind::Reset
        | ErrorKind::Short
        | ErrorKind::Status
        | ErrorKind::Timeout
        | ErrorKind::Protocol => "look at what it is",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_have_a_kind() {
        for (errno, kind) in [
            (Errno::CONNREFUSED, ErrorKind::ConnectRefused),
            (Errno::ADDRNOTAVAIL, ErrorKind::PortsExhausted),
            (Errno::MFILE, ErrorKind::FilesExhausted),
            (Errno::HOSTUNREACH, ErrorKind::Unreachable),
            (Errno::TIMEDOUT, ErrorKind::ConnectTimeout),
            (Errno::CONNRESET, ErrorKind::ConnectReset),
        ] {
            assert_eq!(classified(errno).0, kind);
        }
    }

    #[test]
    fn a_connection_comes_from_the_sources_in_turn() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let sources = ["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
        let dialer = Dialer::new(listener.local_addr().unwrap(), &sources, Ending::Fin);
        let mut dialed = Vec::new();
        for number in 0..3 {
            dialed.push(dialer.begin(number).unwrap());
            let from = listener.accept().unwrap().1.ip();
            assert_eq!(from, sources[number as usize % 2]);
        }
        let foreign =
            Dialer::new(listener.local_addr().unwrap(), &["192.0.2.1".parse().unwrap()], Ending::Fin);
        assert_eq!(foreign.begin(0).unwrap_err().0, ErrorKind::PortsExhausted);
    }
}
