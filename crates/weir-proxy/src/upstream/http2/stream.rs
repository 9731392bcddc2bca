//! One exchange on a shared HTTP/2 connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::uri::Scheme;
use http::{Method, Response, StatusCode};
use http_body::{Body, Frame};
use weir_config::model::PoolTimeouts;

use super::Place;
use super::head::{self, WebSocket};
use super::tunnel::StreamEnd;
use crate::exchange::body::{Progress, RequestBody};
use crate::fields::Fields;
use crate::framing::{HeadLimits, Violation};
use crate::head::{RequestHead, ResponseHead};
use crate::session::Session;
use crate::session::watchdog::Wait;
use crate::upstream::connection::{BodyError, SendError, poll_given_up};

/// As in HTTP/1: a server that never comes to its answer is not waited for.
const INTERIM_RESPONSES_MAX: u8 = 16;

/// One exchange on a shared connection. When it is dropped before both ends have ended, it is reset.
pub(crate) struct Stream {
    place: Place,
    /// Of the request, as the server sees it.
    scheme: Scheme,
    limits: HeadLimits,
    /// The present request's body, until it has been sent.
    request: Option<Request>,
    /// Until the head of the answer is here.
    response: Option<ResponseFuture>,
    /// The answer's body, until its end; a tunnel's other direction.
    receive: Option<RecvStream>,
    /// Of a request that became a tunnel.
    tunnel: Option<SendStream<Bytes>>,
    /// All of the answer's data has been handed on; trailers may follow.
    data_ended: bool,
    /// The request's method was HEAD.
    to_head: bool,
    /// Handed on, and its window not given back: the client may not have taken it yet.
    untaken: usize,
    interim_seen: u8,
    /// How long the server may leave the request's body untaken.
    server_reads: Duration,
    /// Whether an exchange was on the connection before this one.
    pub(crate) reused: bool,
}

/// A request's body on its way to the server.
struct Request {
    body: RequestBody,
    send: SendStream<Bytes>,
}

impl Stream {
    pub(crate) fn new(place: Place, scheme: Scheme, limits: HeadLimits) -> Box<Self> {
        Box::new(Self {
            scheme,
            reused: place.reused,
            place,
            limits,
            request: None,
            response: None,
            receive: None,
            tunnel: None,
            data_ended: false,
            to_head: false,
            untaken: 0,
            interim_seen: 0,
            server_reads: Duration::ZERO,
        })
    }

    /// Sends a request and waits for the head of the answer. The rest of the request goes on while the answer's
    /// body is read.
    ///
    /// # Errors
    /// See [`SendError`]; the stream is of no use after one.
    pub(crate) async fn send(
        &mut self,
        session: &Session,
        head: &RequestHead,
        body: RequestBody,
        timeouts: &PoolTimeouts,
    ) -> Result<ResponseHead, SendError> {
        self.server_reads = timeouts.body_idle;
        self.to_head = head.method == Method::HEAD;
        let progress = body.progress();
        let websocket = self.open(head, body)?;
        let outcome = poll_fn(|cx| {
            self.poll_request(session, cx);
            if let Poll::Ready(response) = self.poll_head(session, &progress, cx) {
                return Poll::Ready(response);
            }
            let error = ready!(poll_given_up(session, &progress, self.request.is_none(), timeouts, cx));
            if let SendError::TimedOut(_) = error {
                self.place.retire();
            }
            Poll::Ready(Err(error))
        })
        .await;
        session.watchdog.end(Wait::Response);
        let response = outcome?;
        Ok(match websocket {
            Some(websocket) if response.status.is_success() => websocket.switches(response),
            Some(_) | None => {
                if !response.status.is_success() {
                    self.tunnel = None; // refused: its answer is an answer like any other
                }
                response
            }
        })
    }

    /// Opens the stream with the request's head.
    fn open(&mut self, head: &RequestHead, body: RequestBody) -> Result<Option<WebSocket>, SendError> {
        let mut sender = self.place.sender();
        let websocket = WebSocket::asked_for(head, &body);
        if websocket.is_some() && !sender.is_extended_connect_protocol_enabled() {
            return Err(SendError::NoTunnel);
        }
        let request =
            head::request(head, &self.scheme, websocket.as_ref()).map_err(|_| SendError::NotSent)?;
        let tunnels = websocket.is_some() || head.method == Method::CONNECT;
        let ended = !tunnels && body.is_end_stream();
        let (response, send) = sender
            .send_request(request, ended)
            .map_err(|error| if is_gone_away(&error) { SendError::GoneAway } else { SendError::NotSent })?;
        self.response = Some(response);
        if tunnels {
            self.tunnel = Some(send);
        } else if !ended {
            self.request = Some(Request { body, send });
        }
        Ok(websocket)
    }

    /// Sends what there is of the request's body, as long as the server has room. A server that takes no more
    /// may still answer, so an error here is not the end (RFC 9113 section 8.1).
    fn poll_request(&mut self, session: &Session, cx: &mut Context<'_>) {
        while let Some(Request { body, send }) = &mut self.request {
            if body.is_end_stream() {
                let _ = send.send_data(Bytes::new(), true); // the answer tells what is wrong
                self.request = None;
                break;
            }
            // Room for a byte is room for a piece: more is not asked for before there is something to send,
            // because what one stream asks for is kept from the others.
            if send.capacity() == 0 {
                send.reserve_capacity(1);
                match send.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_)) | None) => {
                        self.request = None;
                        break;
                    }
                    Poll::Pending => {
                        session.watchdog.begin(Wait::ServerReads, self.server_reads);
                        return;
                    }
                }
            }
            session.watchdog.end(Wait::ServerReads);
            let sent = match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    // Copied: what is read belongs to the worker's arena, and this may lie here for long.
                    Ok(data) => send.send_data(Bytes::copy_from_slice(&data), body.is_end_stream()),
                    Err(frame) => send.send_trailers(frame.into_trailers().unwrap_or_default()),
                },
                Poll::Ready(None) => send.send_data(Bytes::new(), true),
                // Whoever asked gives up now, and with this stream: a reset tells the server.
                Poll::Ready(Some(Err(_))) => {
                    self.request = None;
                    break;
                }
                Poll::Pending => return,
            };
            if sent.is_err() || body.is_end_stream() {
                self.request = None;
            }
        }
        session.watchdog.end(Wait::ServerReads);
    }

    /// Waits for the final head; passes interim ones on.
    fn poll_head(
        &mut self,
        session: &Session,
        request: &Progress,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, SendError>> {
        let Some(response) = &mut self.response else { return Poll::Pending };
        let interim = match response.poll_informational(cx) {
            Poll::Ready(Some(interim)) => Some(interim.map_err(|error| send_error(&error))?),
            Poll::Ready(None) | Poll::Pending => None,
        };
        if let Some(interim) = interim {
            self.interim(session, request, interim, cx)?;
            return self.poll_head(session, request, cx);
        }
        let response = ready!(Pin::new(response).poll(cx)).map_err(|error| send_error(&error))?;
        let (parts, receive) = response.into_parts();
        // The answer to a HEAD has no body and says nothing of its length by that.
        let empty = receive.is_end_stream() && !self.to_head;
        self.receive = Some(receive);
        self.response = None;
        let head = head::response(parts.status, &parts.headers, self.limits, empty);
        Poll::Ready(head.map_err(SendError::Malformed))
    }

    fn interim(
        &mut self,
        session: &Session,
        request: &Progress,
        interim: Response<()>,
        cx: &mut Context<'_>,
    ) -> Result<(), SendError> {
        self.interim_seen += 1;
        if self.interim_seen > INTERIM_RESPONSES_MAX {
            return Err(SendError::Malformed(Violation::InterimTooMany));
        }
        let (parts, ()) = interim.into_parts();
        match parts.status {
            // RFC 9113 section 8.6: there is no such thing in HTTP/2.
            StatusCode::SWITCHING_PROTOCOLS => return Err(SendError::Malformed(Violation::UpgradeUnasked)),
            StatusCode::CONTINUE => {
                request.continued();
                self.poll_request(session, cx);
            }
            status => {
                let head = head::response(status, &parts.headers, self.limits, false);
                session.interim(head.map_err(SendError::Malformed)?, cx);
            }
        }
        Ok(())
    }

    /// The next piece of the answer's body. Sends what is left of the request, too.
    pub(crate) fn poll_frame(
        &mut self,
        session: &Session,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_request(session, cx);
        let Some(receive) = &mut self.receive else { return Poll::Ready(None) };
        // Who asks for more has got rid of what it had.
        let taken = std::mem::take(&mut self.untaken);
        if taken > 0 {
            let _ = receive.flow_control().release_capacity(taken); // fails only for more than came
        }
        while !self.data_ended {
            match ready!(receive.poll_data(cx)) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => {
                    self.untaken = data.len();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(body_error(&error)))),
                None => self.data_ended = true,
            }
        }
        match ready!(receive.poll_trailers(cx)) {
            Ok(trailers) => {
                self.receive = None;
                let trailers = trailers.map(Fields::trailers).filter(|trailers| !trailers.is_empty());
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Err(error) => Poll::Ready(Some(Err(body_error(&error)))),
        }
    }

    /// Whether the answer's body has ended.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.receive.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    /// Whether the answer has opened a tunnel.
    pub(crate) fn is_tunnel(&self) -> bool {
        self.tunnel.is_some()
    }

    /// The server's end of a tunnel.
    pub(crate) fn into_tunnel(self) -> StreamEnd {
        StreamEnd::new(self.tunnel, self.receive, self.place)
    }
}

/// Whether the request came after those that a closing server still looks at (RFC 9113 section 6.8). h2 says
/// this of no other stream.
fn is_gone_away(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote()
}

fn send_error(error: &h2::Error) -> SendError {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    if is_gone_away(error) {
        SendError::GoneAway
    } else if error.is_io() {
        SendError::NoAnswer
    } else if !error.is_remote() {
        SendError::Protocol(reason)
    } else if reason == Reason::REFUSED_STREAM {
        SendError::Refused
    } else {
        SendError::Reset(reason)
    }
}

fn body_error(error: &h2::Error) -> BodyError {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    if error.is_io() {
        BodyError::Truncated
    } else if error.is_remote() {
        BodyError::Reset(reason)
    } else {
        BodyError::Protocol(reason)
    }
}
