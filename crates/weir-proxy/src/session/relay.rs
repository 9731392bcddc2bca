//! Two ends whose bytes are passed on to each other, as they come and as fast as each takes them.
//!
//! An end that closes its half is told on to the other, whose half goes on. Neither end has a buffer: bytes are
//! read into the worker's arena and written at once; only what an end does not take is kept, one piece at most,
//! and nothing more is read for it until it does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::wire::Arena;

/// How much is read at once, and so how much is kept at most of what an end does not take.
const PIECE_BYTES: usize = 64 << 10;
/// After how many bytes others get their turn.
const TURN_BYTES: usize = 1 << 20;

/// Two ends.
pub(crate) struct Relay<A, B> {
    pub(crate) client: End<A>,
    pub(crate) server: End<B>,
}

/// One end.
pub(crate) struct End<S> {
    pub(crate) socket: S,
    /// Read from it.
    pub(crate) read_bytes: u64,
    /// It has closed its half.
    pub(crate) ended: bool,
    /// For it, and not taken yet.
    unsent: BytesMut,
    /// It has been told that the other has ended.
    told: bool,
}

/// Which end broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Client,
    Server,
}

/// What one turn has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// More may come.
    Open,
    /// All has been passed on, with the end.
    Over,
}

/// An error of the end that is read from, or of the one that is written to.
enum Failed {
    From,
    To,
}

impl<S> End<S> {
    fn new(socket: S, read: &[u8], unsent: &[u8]) -> Self {
        // Out of the arena: it may be here for a while.
        let unsent = BytesMut::from(unsent);
        Self { socket, read_bytes: read.len() as u64, ended: false, unsent, told: false }
    }
}

impl<A, B> Relay<A, B>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    /// Two ends, from which so much has been read already.
    pub(crate) fn new(client: A, from_client: &[u8], server: B, from_server: &[u8]) -> Self {
        Self {
            client: End::new(client, from_client, from_server),
            server: End::new(server, from_server, from_client),
        }
    }

    /// Passes on what there is. Ready when both ways are over. `moved` is set when anything has moved.
    pub(crate) fn poll(
        &mut self,
        arena: &Arena,
        moved: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let Self { client, server } = self;
        let up = pass(client, server, arena, moved, cx).map_err(|failed| match failed {
            Failed::From => Broken::Client,
            Failed::To => Broken::Server,
        });
        let down = pass(server, client, arena, moved, cx).map_err(|failed| match failed {
            Failed::From => Broken::Server,
            Failed::To => Broken::Client,
        });
        match (up, down) {
            (Ok(Way::Over), Ok(Way::Over)) => Poll::Ready(Ok(())),
            (Err(broken), _) | (_, Err(broken)) => Poll::Ready(Err(broken)),
            (Ok(Way::Open), Ok(_)) | (Ok(_), Ok(Way::Open)) => Poll::Pending,
        }
    }
}

/// One way: what `from` sends goes to `to`.
fn pass<A, B>(
    from: &mut End<A>,
    to: &mut End<B>,
    arena: &Arena,
    moved: &mut bool,
    cx: &mut Context<'_>,
) -> Result<Way, Failed>
where
    A: AsyncRead + Unpin,
    B: AsyncWrite + Unpin,
{
    if to.told {
        return Ok(Way::Over);
    }
    let mut turn = 0;
    loop {
        while !to.unsent.is_empty() {
            match Pin::new(&mut to.socket).poll_write(cx, &to.unsent) {
                Poll::Pending => return Ok(Way::Open),
                Poll::Ready(Ok(written)) if written > 0 => {
                    *moved = true;
                    to.unsent.advance(written);
                }
                Poll::Ready(_) => return refused(from, to),
            }
        }
        to.unsent = BytesMut::new(); // with its memory
        if from.ended {
            // Whether it hears that is its matter: it may be gone by itself.
            if Pin::new(&mut to.socket).poll_shutdown(cx).is_pending() {
                return Ok(Way::Open);
            }
            to.told = true;
            *moved = true;
            return Ok(Way::Over);
        }
        if turn >= TURN_BYTES {
            cx.waker().wake_by_ref();
            return Ok(Way::Open);
        }
        let piece = match arena.poll_read_from(&mut from.socket, PIECE_BYTES, cx) {
            Poll::Pending => return flush(to, cx),
            Poll::Ready(Ok(piece)) => piece,
            Poll::Ready(Err(_)) => return Err(Failed::From),
        };
        *moved = true;
        turn += piece.len();
        from.read_bytes += piece.len() as u64;
        from.ended = piece.is_empty();
        match send(&mut to.socket, &piece, cx) {
            Ok(sent) if sent == piece.len() => {}
            Ok(sent) => to.unsent = BytesMut::from(&piece[sent..]),
            Err(_) => return refused(from, to),
        }
    }
}

/// Writes as much as is taken.
fn send<S: AsyncWrite + Unpin>(socket: &mut S, piece: &[u8], cx: &mut Context<'_>) -> io::Result<usize> {
    let mut sent = 0;
    while sent < piece.len() {
        match Pin::new(&mut *socket).poll_write(cx, &piece[sent..]) {
            Poll::Pending => break,
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(written)) => sent += written,
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
    Ok(sent)
}

/// Nothing more is to be had now: what a layer beneath still holds goes out.
fn flush<S: AsyncWrite + Unpin>(to: &mut End<S>, cx: &mut Context<'_>) -> Result<Way, Failed> {
    match Pin::new(&mut to.socket).poll_flush(cx) {
        Poll::Ready(Err(_)) => Err(Failed::To),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(Way::Open),
    }
}

/// `to` takes no more. If it has ended as well, it simply has closed: what `from` still says is for nobody.
fn refused<A, B>(from: &mut End<A>, to: &mut End<B>) -> Result<Way, Failed> {
    if !to.ended {
        return Err(Failed::To);
    }
    from.ended = true;
    to.unsent = BytesMut::new();
    to.told = true;
    Ok(Way::Over)
}
