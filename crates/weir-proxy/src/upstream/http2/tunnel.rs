//! The server's end of a tunnel through a shared HTTP/2 connection (RFC 8441, RFC 9113 section 8.5).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Place;

/// A stream that moves bytes both ways.
pub(crate) struct StreamEnd {
    /// Until our end is over.
    send: Option<SendStream<Bytes>>,
    /// Until the server's is.
    receive: Option<RecvStream>,
    /// Received and not read yet.
    rest: Bytes,
    _place: Place,
}

/// How much is sent in one piece, at most.
const PIECE_BYTES_MAX: usize = 16 << 10;

impl StreamEnd {
    pub(super) fn new(send: Option<SendStream<Bytes>>, receive: Option<RecvStream>, place: Place) -> Self {
        Self { send, receive, rest: Bytes::new(), _place: place }
    }
}

impl AsyncRead for StreamEnd {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(receive) = &mut this.receive else { return Poll::Ready(Ok(())) };
        while this.rest.is_empty() {
            match ready!(receive.poll_data(cx)) {
                Some(Ok(data)) => this.rest = data,
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => {
                    this.receive = None;
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let length = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..length]);
        this.rest.advance(length);
        let _ = receive.flow_control().release_capacity(length); // fails only for more than came
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StreamEnd {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(send) = &mut self.get_mut().send else { return Poll::Ready(Err(broken())) };
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        send.reserve_capacity(bytes.len().min(PIECE_BYTES_MAX));
        if send.capacity() == 0 {
            match ready!(send.poll_capacity(cx)) {
                Some(Ok(_room)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Err(broken())),
            }
        }
        let length = bytes.len().min(send.capacity());
        send.send_data(Bytes::copy_from_slice(&bytes[..length]), false).map_err(io_error)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // the connection's own task writes
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(mut send) = self.get_mut().send.take() {
            let _ = send.send_data(Bytes::new(), true); // a stream that is over has nothing left to end
        }
        Poll::Ready(Ok(()))
    }
}

fn broken() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

fn io_error(error: h2::Error) -> io::Error {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    error
        .into_io()
        .unwrap_or_else(|| io::Error::new(io::ErrorKind::ConnectionReset, format!("reset: {reason}")))
}
