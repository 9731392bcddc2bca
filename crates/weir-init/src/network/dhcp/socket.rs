//! The two sockets of a DHCP client: one for frames while the card has no address, one for datagrams when it has.
//!
//! Neither is open while a lease simply runs, so no packet of the machine's real work passes a filter for DHCP.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::LinkAddr;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::frame::{self, CLIENT_PORT, SERVER_PORT};

/// The largest frame that is read.
const FRAME_BYTES_MAX: usize = 2048;

/// How many frames are read in one go: a flood does not hold up the other cards.
const BATCH_MAX: usize = 32;

/// `ETH_P_IP` as the kernel wants it.
const IP: i32 = 0x0800_u16.to_be() as i32;

/// Classic BPF: IPv4, UDP, no fragment, to port 68. The kernel drops everything else before it is copied.
const FILTER: &[SockFilter] = &[
    SockFilter::new(0x28, 0, 0, 12),                 // A = type of the frame
    SockFilter::new(0x15, 0, 8, 0x0800),             // IPv4, else drop
    SockFilter::new(0x30, 0, 0, 23),                 // A = protocol
    SockFilter::new(0x15, 0, 6, 17),                 // UDP, else drop
    SockFilter::new(0x28, 0, 0, 20),                 // A = fragment
    SockFilter::new(0x45, 4, 0, 0x1fff),             // not the first one: drop
    SockFilter::new(0xb1, 0, 0, 14),                 // X = length of the IP header
    SockFilter::new(0x48, 0, 0, 16),                 // A = destination port
    SockFilter::new(0x15, 0, 1, CLIENT_PORT as u32), // else drop
    SockFilter::new(0x06, 0, 0, FRAME_BYTES_MAX as u32),
    SockFilter::new(0x06, 0, 0, 0),
];

/// Sends and reads frames on one card.
#[derive(Debug)]
pub(super) struct Frames(OwnedFd);

impl Frames {
    pub(super) fn open(card: &str) -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(IP)))?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(FILTER)?;
        // What came from other cards before this is told apart by its transaction.
        nix::sys::socket::bind(socket.as_raw_fd(), &link_address(card)?)?;
        Ok(Self(socket.into()))
    }

    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        rustix::net::send(&self.0, frame, SendFlags::empty())?;
        Ok(())
    }

    /// Hands each message that waits to `each`.
    pub(super) fn read(&self, mut each: impl FnMut(&[u8])) {
        let mut buffer = [0; FRAME_BYTES_MAX];
        for _ in 0..BATCH_MAX {
            let Ok((length, _)) = rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::empty()) else {
                return;
            };
            if let Some(message) = buffer.get(..length).and_then(frame::read) {
                each(message);
            }
        }
    }
}

impl AsFd for Frames {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The address of the card as a socket of frames is bound to it. There is no safe way to make one; libc's list of all
/// addresses has it.
fn link_address(card: &str) -> io::Result<LinkAddr> {
    nix::ifaddrs::getifaddrs()?
        .filter(|one| one.interface_name == card)
        .find_map(|one| one.address?.as_link_addr().copied())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("the card {card} is gone")))
}

/// Sends and reads datagrams on one card, from the address that it has.
#[derive(Debug)]
pub(super) struct Datagrams(Socket);

impl Datagrams {
    pub(super) fn open(card: &str) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Before the bind: every card has a socket for the same port.
        socket.bind_device(Some(card.as_bytes()))?;
        socket.set_reuse_address(true)?;
        socket.set_broadcast(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT).into())?;
        Ok(Self(socket))
    }

    pub(super) fn send(&self, to: Ipv4Addr, message: &[u8]) -> io::Result<()> {
        self.0.send_to(message, &SocketAddrV4::new(to, SERVER_PORT).into())?;
        Ok(())
    }

    /// Hands each message that waits to `each`.
    pub(super) fn read(&self, mut each: impl FnMut(&[u8])) {
        let mut buffer = [0; FRAME_BYTES_MAX];
        for _ in 0..BATCH_MAX {
            let Ok((length, _)) = rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::empty()) else {
                return;
            };
            each(buffer.get(..length).unwrap_or_default());
        }
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
