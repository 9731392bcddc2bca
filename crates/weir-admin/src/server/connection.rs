//! One client connection, from its first request to its last.
//!
//! hyper serves it; here is what hyper leaves open: the time a client may take, and a problem document for a
//! head that hyper never saw because it was not whole, not sound or too slow.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::talk::{HEAD_TIMEOUT, Stage, Talk};
use super::wire::{FIELDS_MAX, Wire};
use super::{Mode, close, linger};
use crate::api;
use crate::api::problem::{Kind, Problem};
use crate::operator::Operator;

/// Serves one client connection to its end, in TLS where the configuration in force says so.
pub(super) async fn serve(socket: TcpStream, operator: Weak<Operator>, mode: watch::Receiver<Mode>) {
    let _ = socket.set_nodelay(true); // slower without, not wrong
    let tls = operator.upgrade().and_then(|operator| operator.proxy().snapshot().tls.admin().cloned());
    match tls {
        None => serve_http(socket, operator, mode).await,
        Some(tls) => match handshake(socket, Arc::clone(&tls.config)).await {
            Ok(socket) => serve_http(socket, operator, mode).await,
            Err(error) => tracing::debug!(%error, "no TLS with an admin client"),
        },
    }
}

/// The TLS of a connection; who speaks no TLS is told so in what he speaks.
async fn handshake(socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    let deadline = Instant::now() + HEAD_TIMEOUT;
    let mut first = [0]; // of a ClientHello, 22: no method of HTTP begins with that
    if timeout_at(deadline, socket.peek(&mut first)).await?? == 1 && first[0].is_ascii_uppercase() {
        let detail = "TLS is spoken here: ask with https://";
        refuse(socket, Problem::new(Kind::Malformed, detail)).await;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks plain HTTP"));
    }
    timeout_at(deadline, TlsAcceptor::from(config).accept(socket)).await?
}

async fn serve_http<S>(socket: S, operator: Weak<Operator>, mut mode: watch::Receiver<Mode>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let talk = Rc::new(Talk::new());
    let service = {
        let talk = Rc::clone(&talk);
        service_fn(move |request| {
            let (operator, talk) = (operator.upgrade(), Rc::clone(&talk));
            async move {
                let answer = match operator {
                    Some(operator) => api::answer(&operator, request).await,
                    None => Problem::new(Kind::Stopping, "Weir is stopping").into_answer(),
                };
                Ok::<_, Infallible>(answer.map(|bytes| Told { bytes: Full::new(bytes), talk }))
            }
        })
    };
    let io = TokioIo::new(Wire::new(socket, Rc::clone(&talk)));
    let mut connection =
        http1::Builder::new().max_headers(FIELDS_MAX + 1).half_close(true).serve_connection(io, service);

    let mut retired = pin!(mode.wait_for(|mode| *mode != Mode::Serve));
    let mut retiring = false;
    let mut alarm = pin!(sleep_until(Instant::now() + HEAD_TIMEOUT));
    let end = poll_fn(|cx| {
        if !retiring && retired.as_mut().poll(cx).is_ready() {
            retiring = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(ended.map_or_else(End::Failed, |()| End::Done));
        }
        let Some(deadline) = talk.deadline() else { return Poll::Pending };
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx).map(|()| End::Late)
    })
    .await;

    let (socket, clean) = connection.into_parts().io.into_inner().into_parts();
    match (end, talk.stage()) {
        (End::Failed(_) | End::Done, Stage::First | Stage::Idle | Stage::Head) => match talk.refusal() {
            Some(violation) => {
                let kind = Kind::of_status(violation.status());
                refuse(socket, Problem::new(kind, violation.to_string())).await;
            }
            None if clean => close(socket).await,
            None => linger(socket).await,
        },
        (End::Failed(error), Stage::Exchange) => tracing::debug!(%error, "admin connection ended"),
        (End::Done, Stage::Exchange) => linger(socket).await,
        (End::Late, Stage::Head) => {
            refuse(socket, Problem::new(Kind::TooSlow, "the head of the request took longer than 10 s"))
                .await;
        }
        (End::Late, Stage::First | Stage::Idle) => close(socket).await,
        (End::Late, Stage::Exchange) => {}
    }
}

enum End {
    Done,
    Failed(hyper::Error),
    /// The client took too long.
    Late,
}

/// Answers a request that hyper never saw.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, problem: Problem) {
    use std::fmt::Write as _;
    let answer = problem.into_answer();
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status());
    for (name, value) in answer.headers() {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default()); // a String takes it
    }
    head += "connection: close\r\n\r\n";
    // So few bytes fit into any empty send buffer: this does not wait for the client.
    let bytes = [head.as_bytes(), answer.body()].concat();
    if tokio::time::timeout(HEAD_TIMEOUT, socket.write_all(&bytes)).await.is_ok_and(|done| done.is_ok()) {
        linger(socket).await;
    }
}

/// The body of an answer, which tells when hyper has all of it.
struct Told {
    bytes: Full<Bytes>,
    talk: Rc<Talk>,
}

impl Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.bytes).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.bytes.size_hint()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.talk.answered();
    }
}
