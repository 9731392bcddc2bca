//! The bodies of answers: a text, so many bytes of filler, or the request's own body on its way back.
//!
//! Each knows its length if it can be known, so hyper frames it with `Content-Length`; nothing is stored.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// One piece of filler.
const FILLER: &[u8; 64 << 10] = &[b'x'; 64 << 10];

/// The body of an answer.
pub(super) enum OriginBody {
    /// A text; taken once it is sent.
    Text(Option<Bytes>),
    /// This many more bytes.
    Filler(u64),
    /// The request's body.
    Echo(Incoming),
}

impl OriginBody {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self::Text(Some(text.into()).filter(|text| !text.is_empty()))
    }

    pub(super) fn filler(bytes: u64) -> Self {
        Self::Filler(bytes)
    }
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Filler(0) => Poll::Ready(None),
            Self::Filler(left) => {
                let piece = usize::try_from(*left).map_or(FILLER.len(), |left| left.min(FILLER.len()));
                *left -= piece as u64;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&FILLER[..piece])))))
            }
            Self::Echo(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::Filler(left) => *left == 0,
            Self::Echo(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Filler(left) => SizeHint::with_exact(*left),
            Self::Echo(body) => body.size_hint(),
        }
    }
}
