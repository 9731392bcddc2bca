//! The origin's sockets: one for each thread on one address, between which the kernel divides the clients.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, Socket, Type};

/// Clients that may wait to be accepted; the system has a bound of its own (`net.core.somaxconn`).
const BACKLOG: i32 = 65_535;

/// So many listeners on one address, and that address, with the port that the kernel chose if it was to.
pub(super) fn listen(bind: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    // Whoever has the address already is seen by the first, which shares it with nobody of another program.
    let mut address = bind;
    let mut sockets = Vec::new();
    for number in 0..count {
        let socket = Socket::new(Domain::for_address(bind), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if bind.is_ipv6() {
            // `[::]` is everybody.
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        if number == 0 && bind.port() != 0 {
            probe(bind)?;
        }
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        if number == 0 {
            address = socket.local_addr()?.as_socket().unwrap_or(bind);
        }
        sockets.push(socket);
    }
    // All are bound before the first listens: a client that came between would be one listener's alone.
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    Ok((address, sockets.into_iter().map(OwnedFd::from).collect()))
}

/// Refuses an address that another program of the same user listens on: SO_REUSEPORT would share it without a word.
fn probe(bind: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(bind), Type::STREAM, Some(Protocol::TCP))?;
    if bind.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&bind.into())?;
    socket.listen(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn threads_share_an_address_and_programs_do_not() {
        let (address, first) = listen((Ipv4Addr::LOCALHOST, 0).into(), 3).unwrap();
        assert_eq!(first.len(), 3);
        assert_ne!(address.port(), 0);
        assert_eq!(listen(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        listen(address, 2).unwrap();
    }
}
