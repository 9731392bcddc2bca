//! A listener's UDP socket: datagrams in, with the address that each was sent to, and answers from that address.
//!
//! On an address of its own a socket answers from it. On a wildcard the kernel would answer from whatever
//! address it likes, which a client takes for somebody else's; so there it is asked where each datagram went.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
};

/// A listener's socket.
pub(super) struct Socket {
    socket: UdpSocket,
    wildcard: bool,
}

/// Who sent a datagram, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    /// `None` where the socket has one address only.
    pub(super) local: Option<IpAddr>,
}

impl Socket {
    /// Takes a bound socket, which does not block.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let wildcard = address.ip().is_unspecified();
        if wildcard {
            match address {
                SocketAddr::V4(_) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
                SocketAddr::V6(_) => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
            }
        }
        Ok(Self { socket, wildcard })
    }

    /// The next datagram: its length, and whose it is.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Ends)> {
        if !self.wildcard {
            let (length, client) = self.socket.recv_from(buffer)?;
            return Ok((length, Ends { client, local: None }));
        }
        let mut control = Control([0; CONTROL_BYTES]);
        let mut parts = [IoSliceMut::new(buffer)];
        let received = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut control.0),
            MsgFlags::MSG_DONTWAIT,
        )?;
        let client = received.address.as_ref().and_then(address).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let local = received.cmsgs()?.find_map(|message| destination(&message));
        Ok((received.bytes, Ends { client, local }))
    }

    /// Sends an answer, if the kernel takes it at once.
    pub(super) fn reply(&self, data: &[u8], ends: Ends) -> io::Result<()> {
        let Some(local) = ends.local else { return self.socket.send_to(data, ends.client).map(drop) };
        let (fd, parts, flags) = (self.socket.as_raw_fd(), [IoSlice::new(data)], MsgFlags::MSG_DONTWAIT);
        let to = Some(SockaddrStorage::from(ends.client));
        match local {
            IpAddr::V4(ip) => {
                let source = in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: nix::libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                    ipi_addr: nix::libc::in_addr { s_addr: 0 },
                };
                sendmsg(fd, &parts, &[ControlMessage::Ipv4PacketInfo(&source)], flags, to.as_ref())?;
            }
            IpAddr::V6(ip) => {
                let scope = match ends.client {
                    SocketAddr::V6(client) => client.scope_id(), // a link-local address needs its interface
                    SocketAddr::V4(_) => 0,
                };
                let source = in6_pktinfo {
                    ipi6_addr: nix::libc::in6_addr { s6_addr: ip.octets() },
                    ipi6_ifindex: scope,
                };
                sendmsg(fd, &parts, &[ControlMessage::Ipv6PacketInfo(&source)], flags, to.as_ref())?;
            }
        }
        Ok(())
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

/// Room for the larger of the two messages, and its header.
const CONTROL_BYTES: usize = 64;

/// Aligned as a control message is.
#[repr(align(8))]
struct Control([u8; CONTROL_BYTES]);

fn destination(message: &ControlMessageOwned) -> Option<IpAddr> {
    if let ControlMessageOwned::Ipv4PacketInfo(info) = message {
        return Some(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into());
    }
    if let ControlMessageOwned::Ipv6PacketInfo(info) = message {
        return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
    }
    None
}

fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_from_where_the_datagram_went() {
        for (wildcard, address) in
            [("0.0.0.0:0", "127.0.0.5"), ("[::]:0", "::1"), ("127.0.0.6:0", "127.0.0.6")]
        {
            let Ok(bound) = UdpSocket::bind(wildcard) else { continue }; // no IPv6 here
            let port = bound.local_addr().unwrap().port();
            let socket = Socket::new(bound).unwrap();
            let to = SocketAddr::new(address.parse().unwrap(), port);
            let client = UdpSocket::bind(SocketAddr::new(to.ip(), 0)).unwrap();
            client.connect(to).unwrap(); // takes answers from there alone
            client.send(b"question").unwrap();
            let mut buffer = [0; 100];
            let (length, ends) = socket.receive(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], ends.client), (&b"question"[..], client.local_addr().unwrap()));
            socket.reply(b"answer", ends).unwrap();
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"answer");
        }
    }
}
