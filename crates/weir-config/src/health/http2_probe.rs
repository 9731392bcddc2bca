//! An HTTP probe in HTTP/2: one request on a connection of its own. The verdict is that of
//! [`http_probe`](super::http_probe).

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{self, SendRequest};
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri, Version, header};
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::http_probe::{USER_AGENT, judge};
use super::{ProbeError, ProbeOutcome};
use crate::model::HttpCheck;

/// How long the field lists of an answer may be, in bytes.
const HEADER_LIST_BYTES_MAX: u32 = 64 << 10;

/// Asks over `stream` and judges the answer, by `deadline`.
pub(super) async fn probe(
    check: &HttpCheck,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    scheme: Scheme,
    default_host: &str,
    deadline: Instant,
) -> ProbeOutcome {
    let host = check.host.as_deref().unwrap_or(default_host);
    let mut request = request(scheme, host, &check.path)?;
    request.method_mut().clone_from(&check.method);
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    exchange(stream, deadline, async |sender| {
        let answer = ask(sender, request, None, deadline).await?;
        let (head, body) = answer.into_parts();
        judge(check, head.status, Answer { body, ended: false }, deadline, answer_error).await
    })
    .await
}

/// A request for `path` without a body.
pub(super) fn request(scheme: Scheme, host: &str, path: &str) -> Result<Request<()>, ProbeError> {
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
    Request::builder()
        .version(Version::HTTP_2)
        .uri(uri.map_err(|error| ProbeError::LocalRequest(error.to_string()))?)
        .header(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))
        .body(())
        .map_err(|error| ProbeError::LocalRequest(error.to_string()))
}

/// Begins HTTP/2 on `stream` and moves its bytes while `work` is done; then it is closed.
pub(super) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    deadline: Instant,
    work: impl AsyncFnOnce(SendRequest<Bytes>) -> ProbeOutcome,
) -> ProbeOutcome {
    let handshake = client::Builder::new()
        .enable_push(false)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .handshake(stream);
    let (sender, connection) = match timeout_at(deadline, handshake).await {
        Ok(begun) => begun.map_err(|error| answer_error(&error))?,
        Err(_elapsed) => return Err(ProbeError::Timeout),
    };
    let mut work = pin!(work(sender));
    let mut connection = pin!(connection);
    // The connection may end first, with the answer already in the exchange's hands.
    let outcome = tokio::select! {
        biased;
        outcome = &mut work => outcome,
        _ended = &mut connection => return work.await,
    };
    // With nothing left to do it says GOAWAY and closes; whether the other side minds is not part of the check.
    let _ = tokio::time::timeout(GOODBYE_TIME_MAX, connection).await;
    outcome
}

/// How long closing may take.
const GOODBYE_TIME_MAX: std::time::Duration = std::time::Duration::from_millis(100);

/// Sends a request, with `body` if there is one, and waits for the head of the answer.
pub(super) async fn ask(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    body: Option<Bytes>,
    deadline: Instant,
) -> Result<Response<RecvStream>, ProbeError> {
    let asked = async {
        let mut sender = sender.ready().await?;
        let (answer, mut sending) = sender.send_request(request, body.is_none())?;
        if let Some(body) = body {
            sending.send_data(body, true)?;
        }
        answer.await
    };
    match timeout_at(deadline, asked).await {
        Ok(answer) => answer.map_err(|error| answer_error(&error)),
        Err(_elapsed) => Err(ProbeError::Timeout),
    }
}

/// An answer's body, whose window is given back as it is read.
struct Answer {
    body: RecvStream,
    ended: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = self.get_mut();
        let data = ready!(this.body.poll_data(cx));
        this.ended = data.is_none();
        Poll::Ready(data.map(|data| {
            let data = data?;
            this.body.flow_control().release_capacity(data.len())?;
            Ok(Frame::data(data))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// What an error of h2's says about the server.
pub(super) fn answer_error(error: &h2::Error) -> ProbeError {
    match (error.get_io(), error.is_remote()) {
        (Some(error), _) if error.kind() == std::io::ErrorKind::UnexpectedEof => ProbeError::NoAnswer,
        (Some(error), _) if error.kind() == std::io::ErrorKind::BrokenPipe => ProbeError::NoAnswer,
        (Some(error), _) => ProbeError::Broken(error.kind()),
        (None, true | false) => ProbeError::Malformed(error.to_string()),
    }
}
