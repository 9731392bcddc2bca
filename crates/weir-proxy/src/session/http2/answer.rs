//! The life of one stream: have its request served, write the answer as fast as the client makes room for it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use ::http::{StatusCode, Version};
use bytes::Bytes;
use h2::Reason;
use http_body::Body;

use super::head;
use super::stream::{Gone, Stream};
use crate::exchange::failure::Failure;
use crate::exchange::{self, ResponseBody};
use crate::head::{RequestHead, ResponseHead};
use crate::session::watchdog::Wait;
use crate::session::{Downstream, LINGER, LINGER_BYTES_MAX, Session, Untangle};

/// Serves one stream to its end. `request` is what it asks, or why that can't be served.
pub(super) async fn serve(session: Rc<Session>, request: Result<Box<RequestHead>, Failure>) {
    let Downstream::Http2(stream) = &session.client else { return };
    let _untangle = Untangle(Rc::clone(&session));
    session.exchange_begins(Version::HTTP_2);
    let response = match request {
        Ok(head) => {
            let mut exchange = pin!(exchange::handle(&session, head));
            poll_fn(|cx| match exchange.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => stream.poll_gone(cx).map(|()| None),
            })
            .await
        }
        Err(failure) => Some(exchange::refuse(&session, failure)),
    };
    let Some((head, body)) = response else { return };
    let tunnel = session.tunnel.take();
    if let Some(tunnel) = tunnel {
        if stream.respond(head::tunnel_response(&head, &session.local.date), false).is_ok() {
            Box::pin(tunnel.run(&session)).await;
        }
        return;
    }
    if let Some(mut writing) = Writing::begin(&session, stream, head, body) {
        poll_fn(|cx| writing.poll(cx)).await;
    }
    if !stream.request_ended() {
        // The stream is reset with what is left of the request, and some clients forget the answer then.
        let mut left = LINGER_BYTES_MAX;
        let skipped = poll_fn(|cx| stream.poll_skip(&mut left, cx));
        let _ = session.watchdog.within(Wait::Linger, LINGER, skipped).await;
    }
}

/// An answer on its way to the client.
struct Writing<'a> {
    session: &'a Session,
    stream: &'a Stream,
    /// Until its end.
    body: Option<ResponseBody>,
    /// Taken from the body, and for which there was no room yet.
    piece: Bytes,
}

impl<'a> Writing<'a> {
    /// Sends the head. `None` when that was all, or the client has gone.
    fn begin(
        session: &'a Session,
        stream: &'a Stream,
        mut head: ResponseHead,
        body: ResponseBody,
    ) -> Option<Self> {
        if stream.wants_tunnel() && head.status.is_success() {
            // To this client it would mean that the tunnel is open.
            head = ResponseHead { status: StatusCode::BAD_GATEWAY, fields: Default::default(), ..head };
            let _ = stream.respond(head::response(&head, Some(&session.local.date)), true);
            return None;
        }
        let all = body.is_end_stream();
        let head = head::response(&head, Some(&session.local.date));
        match stream.respond(head, all) {
            Ok(()) if !all => Some(Self { session, stream, body: Some(body), piece: Bytes::new() }),
            Ok(()) | Err(Gone) => None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(body) = &mut self.body {
            if !self.piece.is_empty() {
                std::task::ready!(self.poll_send(cx));
                continue;
            }
            if body.is_end_stream() {
                let _ = self.stream.end();
                break;
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.piece = data,
                    Err(frame) => {
                        match frame.into_trailers() {
                            Ok(trailers) => self.stream.send_trailers(trailers),
                            Err(_) => drop(self.stream.end()),
                        }
                        break;
                    }
                },
                Poll::Ready(Some(Err(_))) => {
                    self.stream.reset(Reason::INTERNAL_ERROR); // the answer broke off
                    break;
                }
                Poll::Ready(None) => {
                    let _ = self.stream.end();
                    break;
                }
                Poll::Pending => {
                    std::task::ready!(self.stream.poll_gone(cx));
                    break;
                }
            }
        }
        // Whatever becomes of the last bytes: the server's part is over.
        self.body = None;
        Poll::Ready(())
    }

    /// Sends of the piece what there is room for, once there is any.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Session { watchdog, client_stuck, .. } = self.session;
        match self.stream.poll_room(self.piece.len(), cx) {
            Poll::Ready(Ok(room)) => {
                watchdog.end(Wait::ClientReads);
                let piece = self.piece.split_to(room);
                let last = self.piece.is_empty() && self.body.as_ref().is_some_and(Body::is_end_stream);
                self.stream.send(piece, last);
                if last {
                    self.body = None;
                }
                Poll::Ready(())
            }
            Poll::Ready(Err(Gone)) => {
                self.body = None;
                Poll::Ready(())
            }
            Poll::Pending => {
                let listener = self.session.listener();
                if watchdog.begin(Wait::ClientReads, listener.listener.config.timeouts.body_idle) {
                    // It may last: nothing of the worker's arena is held meanwhile.
                    self.piece = Bytes::copy_from_slice(&self.piece);
                    if let Some(body) = &mut self.body {
                        body.settle();
                    }
                }
                if !watchdog.poll_expired(Wait::ClientReads, cx) {
                    return Poll::Pending;
                }
                client_stuck.set(true);
                listener.counters().http2_stalled.add(1);
                self.stream.reset(Reason::CANCEL);
                self.body = None;
                Poll::Ready(())
            }
        }
    }
}
