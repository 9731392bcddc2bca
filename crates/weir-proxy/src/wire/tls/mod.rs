//! TLS on a socket: what is read is decrypted, what is written is encrypted, in the memory of the worker.
//!
//! rustls' unbuffered connections hold keys and state and no bytes. So an idle connection is those and its socket:
//! ciphertext is read into the thread's [`Scratch`] and decrypted there; plaintext is put together into records there
//! and written at once. What has to wait, the part of a record that has come, plaintext that the reader did not want
//! yet, records that the peer does not take, is kept beside the connection, and only while there is some.

mod handshake;
mod session;

pub(crate) use handshake::HandshakeError;

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustls::{CommonState, Error};
use tokio::io::{AsyncWrite, ReadBuf};

use self::session::{Opened, Sealed, Session, Write};
use super::Socket;

/// A socket on which TLS is spoken.
pub(crate) struct Tls {
    /// Never in TLS itself.
    socket: Socket,
    session: Session,
    /// Ciphertext that is not a whole record yet.
    partial: Vec<u8>,
    /// Plaintext that nobody wanted yet.
    plain: BytesMut,
    /// Records that the peer has not taken yet.
    sealed: Vec<u8>,
    /// The host that the client named, until it is asked for.
    server_name: Option<Box<str>>,
    /// Those are only what is left of a handshake: tickets, and what the client does not wait for. They go with the
    /// first answer, in its write, or when there is nothing to read.
    deferred: bool,
    /// How the peer's side stands.
    incoming: Incoming,
    /// We have said that no more will come.
    closed: bool,
}

/// How the peer's side of a connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Incoming {
    Open,
    /// It said that no more will come (`close_notify`).
    Closed,
    /// Its connection ended without that: somebody may have cut it (RFC 8446 section 6.1).
    Cut,
    /// What came was not TLS, or not what was agreed on: the session is of no use any more.
    Broken,
}

/// The most plaintext in a record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 << 10;
/// What a record may have beside its plaintext (RFC 5246 section 6.2.3).
const RECORD_OVERHEAD: usize = 5 + 2048;
/// The most ciphertext that is read at once, and plaintext that is encrypted before the peer has taken what was before
/// it: an object of 64 KiB with its head.
const READ_BYTES_MAX: usize = 5 * (RECORD_BYTES + 256);
const SEAL_BYTES_MAX: usize = 5 * RECORD_BYTES;

/// The memory in which a thread's connections decrypt and encrypt.
struct Scratch {
    /// What a socket that nobody watches yet is read to.
    first: Vec<u8>,
    /// Ciphertext that was read.
    cipher: Vec<u8>,
    /// Records to be written.
    sealed: Sealed,
    /// Small pieces that are to be one record.
    record: Vec<u8>,
}

impl Scratch {
    const FIRST_BYTES: usize = 4 << 10;
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        first: Vec::with_capacity(Scratch::FIRST_BYTES),
        cipher: Vec::new(),
        sealed: Sealed::default(),
        record: Vec::new(),
    });
}

impl Tls {
    fn new(socket: Socket, session: Session) -> Box<Self> {
        Box::new(Self {
            socket,
            session,
            partial: Vec::new(),
            plain: BytesMut::new(),
            sealed: Vec::new(),
            server_name: None,
            deferred: false,
            incoming: Incoming::Open,
            closed: false,
        })
    }

    /// The socket beneath.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The socket beneath.
    pub(crate) fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// The host that the client named (RFC 6066 section 3).
    pub(crate) fn take_server_name(&mut self) -> Option<Box<str>> {
        self.server_name.take()
    }

    /// What both ends have agreed on.
    pub(crate) fn state(&self) -> &CommonState {
        self.session.state()
    }

    /// Whether the peer has taken all that was encrypted and that it may be waiting for.
    pub(super) fn is_flushed(&self) -> bool {
        self.sealed.is_empty() || self.deferred
    }

    /// Reads what is there, at most `limit` bytes, to the end of `into`; nothing at the peer's end.
    ///
    /// # Errors
    /// `UnexpectedEof` when the connection ended and the peer did not say that it would; `InvalidData` when what
    /// came is not TLS.
    pub(super) fn poll_read_to(
        &mut self,
        into: &mut BytesMut,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.len();
        while self.plain.is_empty() {
            match self.incoming {
                Incoming::Open => {}
                Incoming::Closed => return Poll::Ready(Ok(())),
                Incoming::Cut => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Incoming::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
            match self.poll_fill(into, limit, cx) {
                Poll::Ready(Ok(())) if into.len() > before => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    into.truncate(before); // it is lent to one connection after the other
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    // Whoever waits for the peer must not have left it waiting.
                    if let Poll::Ready(Err(error)) = self.poll_flush_sealed(cx) {
                        return Poll::Ready(Err(error));
                    }
                    return Poll::Pending;
                }
            }
        }
        let wanted = self.plain.len().min(limit);
        into.extend_from_slice(&self.plain[..wanted]);
        self.plain.advance(wanted);
        if self.plain.is_empty() {
            self.plain = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads from the socket once and decrypts what came: up to `limit` bytes to `into`, the rest to `plain`.
    fn poll_fill(&mut self, into: &mut BytesMut, limit: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = limit.saturating_add(RECORD_OVERHEAD).min(READ_BYTES_MAX);
            if ready!(self.poll_receive(scratch, room, cx))? == 0 {
                self.incoming = Incoming::Cut;
                return Poll::Ready(Ok(()));
            }
            match self.open(scratch, into, limit) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(error) => {
                    let _ = self.poll_flush_sealed(cx); // says why
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)))
                }
            }
        })
    }

    /// Reads ciphertext behind what is there of a record; how much.
    fn poll_receive(
        &mut self,
        scratch: &mut Scratch,
        room: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Scratch { first, cipher, .. } = scratch;
        cipher.clear();
        cipher.extend_from_slice(&self.partial);
        self.socket.poll_receive(first, cipher, room, cx)
    }

    /// Takes the ciphertext that was read. After an error, `sealed` has what the peer is to be told.
    fn open(&mut self, scratch: &mut Scratch, into: &mut BytesMut, limit: usize) -> Result<(), Error> {
        let Scratch { cipher, sealed, .. } = scratch;
        sealed.clear();
        let mut opened = Opened { into, limit, plain: &mut self.plain, sealed, closed: false };
        let outcome = self.session.open(cipher, &mut opened);
        if opened.closed {
            self.incoming = Incoming::Closed;
        }
        self.sealed.extend_from_slice(sealed.bytes());
        match outcome {
            Ok(used) if used < cipher.len() && self.incoming == Incoming::Open => {
                self.partial.clear();
                self.partial.extend_from_slice(&cipher[used..]);
                Ok(())
            }
            Ok(_all) => {
                self.partial = Vec::new();
                Ok(())
            }
            Err(error) => {
                self.partial = Vec::new();
                self.incoming = Incoming::Broken;
                Err(error)
            }
        }
    }

    /// Encrypts these parts, the small ones together with their neighbours, and writes the records; how many bytes
    /// of the parts were taken. What the kernel does not take is kept: [`is_flushed`](Self::is_flushed).
    pub(super) fn poll_write_parts(
        &mut self,
        mut parts: [&[u8]; 3],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.incoming == Incoming::Broken {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        // A few bytes, such as the end of a handshake, go with what follows them.
        while self.sealed.len() > RECORD_BYTES {
            ready!(self.poll_flush_sealed(cx))?;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { sealed, record, .. } = scratch;
            sealed.clear();
            sealed.extend(&self.sealed);
            self.sealed.clear();
            let mut taken = 0;
            while taken < SEAL_BYTES_MAX {
                let piece = next_record(&mut parts, record);
                if piece.is_empty() {
                    break;
                }
                self.session.write(Write::Data(piece), &mut self.partial, sealed)?;
                taken += piece.len();
            }
            self.deferred = false;
            let written = self.write_through(sealed.bytes(), cx)?;
            if written < sealed.bytes().len() {
                self.sealed.extend_from_slice(&sealed.bytes()[written..]);
            } else {
                self.sealed = Vec::new();
            }
            Poll::Ready(Ok(taken))
        })
    }

    /// Writes as much as the kernel takes; how much.
    fn write_through(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match Pin::new(&mut self.socket).poll_write(cx, &bytes[written..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written_now) => written += written_now?,
                Poll::Pending => break,
            }
        }
        Ok(written)
    }

    /// Writes what was kept, as far as the peer takes it; how much it took. `Ok(0)`: there was nothing.
    pub(super) fn poll_flush_sealed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.sealed.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.deferred = false;
        let mut sealed = std::mem::take(&mut self.sealed);
        let written = self.write_through(&sealed, cx)?;
        if written < sealed.len() {
            sealed.drain(..written);
            self.sealed = sealed;
        }
        if written > 0 { Poll::Ready(Ok(written)) } else { Poll::Pending }
    }

    /// Says that no more will come, once; whether the peer has taken that.
    pub(super) fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.closed, true) && self.incoming != Incoming::Broken {
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.sealed.clear();
                if self.session.write(Write::Goodbye, &mut self.partial, &mut scratch.sealed).is_ok() {
                    self.sealed.extend_from_slice(scratch.sealed.bytes());
                }
            });
        }
        while !self.sealed.is_empty() {
            ready!(self.poll_flush_sealed(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads for somebody to whom an end is an end, said or not: tunnels.
    pub(super) fn poll_read(&mut self, buf: &mut ReadBuf<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut read = BytesMut::new();
        match ready!(self.poll_read_to(&mut read, buf.remaining(), cx)) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Poll::Ready(Err(error)),
            Ok(()) | Err(_) => {}
        }
        buf.put_slice(&read);
        Poll::Ready(Ok(()))
    }
}

/// Takes the plaintext of the next record out of `parts`: what lies in one of them as it is, what doesn't copied
/// together.
fn next_record<'r, 'p: 'r>(parts: &mut [&'p [u8]; 3], record: &'r mut Vec<u8>) -> &'r [u8] {
    let [first, second, third] = parts;
    if first.is_empty() {
        (*first, *second) = (*second, &[]);
    }
    if second.is_empty() {
        (*second, *third) = (*third, &[]);
    }
    if first.is_empty() {
        (*first, *second) = (*second, &[]);
    }
    if second.is_empty() || first.len() >= RECORD_BYTES {
        return take(first, RECORD_BYTES);
    }
    record.clear();
    for part in parts {
        record.extend_from_slice(take(part, RECORD_BYTES - record.len()));
    }
    record
}

fn take<'a>(part: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, rest) = part.split_at(bytes.min(part.len()));
    *part = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_full_and_in_order_whatever_the_parts() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8 ^ (n >> 8) as u8).collect();
        for (a, b, c) in [
            (0, 0, 0),
            (1, 0, 0),
            (0, 5, 0),
            (0, 0, 7),
            (200, 65_536, 0),
            (200, 65_536, 9),
            (16_384, 1, 1),
            (40_000, 3, 90_000),
        ] {
            let (one, rest) = bytes.split_at(a);
            let (two, rest) = rest.split_at(b);
            let mut parts = [one, two, &rest[..c]];
            let mut all = Vec::new();
            loop {
                let mut record = Vec::new();
                let piece = next_record(&mut parts, &mut record).to_vec();
                if piece.is_empty() {
                    break;
                }
                all.extend_from_slice(&piece);
                assert!(piece.len() == RECORD_BYTES || all.len() == a + b + c);
            }
            assert_eq!(all, bytes[..a + b + c], "{a} {b} {c}");
        }
    }
}
