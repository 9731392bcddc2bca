//! The kernel's network tables over rtnetlink: a socket that asks and one that listens.
//!
//! Written here, since the few messages that the network needs are small: the usual crate for them,
//! netlink-packet-route, knows every message of the kernel and makes the binary 1.2 MB larger, which is 4% of the image.
//! [`message`] has the bytes, [`objects`] what they mean; nothing else knows either.

pub(super) mod message;
pub(super) mod objects;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use message::{Message, Request};

/// The largest piece of an answer; the kernel's own dumps keep to 32 KiB.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// How long the kernel may take to answer: it does so at once, or something is broken.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How often a dump is asked for again because the table changed under it.
const DUMPS_MAX: usize = 5;

/// Groups of rtnetlink, `RTMGRP_*` of linux/rtnetlink.h: links, IPv4 and IPv6 addresses and routes, and
/// `RTNLGRP_ND_USEROPT`, what router advertisements say that is not the kernel's concern (name servers).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400 | 1 << 19;

/// Asks, and waits for the answer.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket(0, SocketFlags::CLOEXEC)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_MAX))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; PIECE_BYTES_MAX] })
    }

    /// Has the kernel do something.
    pub(super) fn order(&mut self, request: Request) -> io::Result<()> {
        let sequence = self.send(request)?;
        loop {
            let received = self.receive()?;
            for message in Message::all(self.buffer.get(..received).unwrap_or_default()) {
                if message.sequence == sequence
                    && let Some(outcome) = message.outcome()
                {
                    return outcome;
                }
            }
        }
    }

    /// All of a table; `read` makes of each message what it is, or None.
    pub(super) fn table<T>(
        &mut self,
        request: impl Fn() -> Request,
        read: impl Fn(&Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        for _ in 0..DUMPS_MAX {
            if let Some(rows) = self.dump(request(), &read)? {
                return Ok(rows);
            }
        }
        Err(io::Error::other("the kernel's table changes faster than it can be read"))
    }

    /// None: the table changed while it was read.
    fn dump<T>(
        &mut self,
        request: Request,
        read: &impl Fn(&Message<'_>) -> Option<T>,
    ) -> io::Result<Option<Vec<T>>> {
        let sequence = self.send(request)?;
        let mut rows = Vec::new();
        let mut whole = true;
        loop {
            let received = self.receive()?;
            for message in Message::all(self.buffer.get(..received).unwrap_or_default()) {
                if message.sequence != sequence {
                    continue;
                }
                whole &= !message.is_interrupted();
                if message.is_done() {
                    return Ok(whole.then_some(rows));
                }
                if let Some(outcome) = message.outcome() {
                    outcome?;
                    return Ok(whole.then_some(rows));
                }
                rows.extend(read(&message));
            }
        }
    }

    fn send(&mut self, request: Request) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        rustix::net::send(&self.socket, &request.finish(self.sequence), SendFlags::empty())?;
        Ok(self.sequence)
    }

    fn receive(&mut self) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::empty())?.0)
    }
}

/// Is told what changes.
#[derive(Debug)]
pub(super) struct Notifications {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Notifications {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket(GROUPS, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        Ok(Self { socket, buffer: vec![0; PIECE_BYTES_MAX] })
    }

    /// Hands every message that waits to `each`; whether there was any, or some were lost, which is as good.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&Message<'_>)) -> bool {
        let mut any = false;
        loop {
            match rustix::net::recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::empty()) {
                Ok((received, _)) => {
                    any = true;
                    for message in Message::all(self.buffer.get(..received).unwrap_or_default()) {
                        each(&message);
                    }
                }
                // More than the socket holds: what was lost is seen by looking at the tables.
                Err(rustix::io::Errno::NOBUFS) => any = true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return any,
            }
        }
    }
}

impl AsFd for Notifications {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn socket(groups: u32, flags: SocketFlags) -> io::Result<OwnedFd> {
    // NETLINK_ROUTE is protocol 0, which is what no protocol means.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}
