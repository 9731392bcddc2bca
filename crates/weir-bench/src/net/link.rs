//! A connection, plain or in TLS, that does what it can at once and says when it can't.
//!
//! Its caller is woken by edges: it goes on reading until there is [`Got::Nothing`], or until [`Got::Bytes`] says that
//! nothing more is there.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    tls: Option<Box<rustls::Connection>>,
}

/// What reading has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Got {
    /// So many bytes; and whether there may be more before the next edge.
    Bytes(usize, bool),
    /// Nothing for now.
    Nothing,
    /// The peer has ended its side.
    End,
}

impl Link {
    /// A plain connection.
    pub(crate) fn plain(socket: OwnedFd) -> Self {
        Self { socket, tls: None }
    }

    /// One in TLS, whose handshake is yet to be done.
    pub(crate) fn tls(socket: OwnedFd, tls: rustls::Connection) -> Self {
        Self { socket, tls: Some(Box::new(tls)) }
    }

    /// Whether it is plain.
    pub(crate) fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    /// Gets on with the handshake; whether it is done.
    ///
    /// # Errors
    /// When the connection breaks, or the two don't agree; the second has the [`rustls::Error`] within.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.is_handshaking() {
            if !flush(&self.socket, tls)? {
                return Ok(false);
            }
            if !tls.is_handshaking() {
                break;
            }
            match receive(&self.socket, tls)? {
                Received::Some => {}
                Received::Nothing => return Ok(false),
                Received::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        flush(&self.socket, tls)
    }

    /// Sends as much as goes at once, perhaps 0 bytes. With `more`, the end of it may wait for what comes next, or for
    /// the end of the connection, so that both are one packet.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(crate) fn send(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
            return match send(&self.socket, bytes, flags) {
                Ok(count) => Ok(count),
                Err(Errno::AGAIN | Errno::INTR) => Ok(0),
                Err(error) => Err(error.into()),
            };
        };
        let count = tls.writer().write(bytes)?;
        flush(&self.socket, tls)?;
        Ok(count)
    }

    /// Sends what TLS still holds; whether it holds nothing.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        self.tls.as_mut().map_or(Ok(true), |tls| flush(&self.socket, tls))
    }

    /// Says in TLS that nothing follows, if that goes at once.
    pub(crate) fn farewell(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // Who has gone already misses nothing.
            let _ = flush(&self.socket, tls);
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// When the connection is broken, or what comes is no TLS.
    pub(crate) fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let Some(tls) = &mut self.tls else {
            return plain(&self.socket, buffer, RecvFlags::empty());
        };
        loop {
            match tls.reader().read(buffer) {
                Ok(0) => return Ok(Got::End),
                Ok(count) => return Ok(Got::Bytes(count, true)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An end without a farewell: those who count bytes know whether one is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Got::End),
                Err(error) => return Err(error),
            }
            match receive(&self.socket, tls)? {
                Received::Some | Received::End => {}
                Received::Nothing => return Ok(Got::Nothing),
            }
        }
    }

    /// Throws away what comes, at most as many bytes as `room` has. On a plain connection the kernel does not even
    /// copy it.
    ///
    /// # Errors
    /// As [`Self::recv`].
    pub(crate) fn skip(&mut self, room: &mut [u8]) -> io::Result<Got> {
        if self.tls.is_some() { self.recv(room) } else { plain(&self.socket, room, RecvFlags::TRUNC) }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn plain(socket: &OwnedFd, buffer: &mut [u8], flags: RecvFlags) -> io::Result<Got> {
    match recv(socket, &mut *buffer, flags) {
        Ok((_, 0)) => Ok(Got::End),
        // A stream that has less than there is room for is empty (epoll(7), question 9).
        Ok((_, count)) => Ok(Got::Bytes(count, count >= buffer.len())),
        Err(Errno::AGAIN | Errno::INTR) => Ok(Got::Nothing),
        Err(error) => Err(error.into()),
    }
}

enum Received {
    Some,
    Nothing,
    End,
}

fn receive(socket: &OwnedFd, tls: &mut rustls::Connection) -> io::Result<Received> {
    match tls.read_tls(&mut Now(socket)) {
        Ok(count) => {
            if let Err(error) = tls.process_new_packets() {
                // The peer is told why, if that goes at once.
                let _ = flush(socket, tls);
                return Err(io::Error::other(error));
            }
            Ok(if count > 0 { Received::Some } else { Received::End })
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
        Err(error) => Err(error),
    }
}

fn flush(socket: &OwnedFd, tls: &mut rustls::Connection) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(&mut Now(socket)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// A socket, as far as it can do something at once.
struct Now<'a>(&'a OwnedFd);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.0, buffer, RecvFlags::empty())?.1)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    /// So that several records are one packet.
    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(self.0, pieces)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
