//! Problem documents (RFC 9457): one table of kinds, one shape for all.

use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use weir_config::Diagnostic;

use super::{Answer, text};

/// What went wrong, as far as a program may want to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    NoToken,
    ForeignHost,
    ForeignOrigin,
    NotFound,
    NoSuchPool,
    NoSuchServer,
    Method,
    TooSlow,
    TooLarge,
    TargetTooLong,
    HeadTooLarge,
    MediaType,
    Stale,
    InvalidChange,
    InvalidConfiguration,
    NotApplicable,
    Unsupported,
    Version,
    Busy,
    Stopping,
    Defect,
}

impl Kind {
    /// Status, the last part of `type`, `title`.
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "The request is malformed"),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "token", "The right token is needed"),
            Self::ForeignHost => (StatusCode::FORBIDDEN, "foreign-host", "The request names a foreign host"),
            Self::ForeignOrigin => {
                (StatusCode::FORBIDDEN, "foreign-origin", "The request comes from a foreign page")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such resource"),
            Self::NoSuchPool => (StatusCode::NOT_FOUND, "no-such-pool", "There is no such pool"),
            Self::NoSuchServer => (StatusCode::NOT_FOUND, "no-such-server", "There is no such server"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", "The method is not allowed here"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "The request took too long"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "target-too-long", "The target is too long"),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head-too-large",
                "The head of the request is too large",
            ),
            Self::MediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "The media type is not taken here")
            }
            Self::Stale => {
                (StatusCode::PRECONDITION_FAILED, "stale", "The configuration has changed meanwhile")
            }
            Self::InvalidChange => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-change", "The change is not valid")
            }
            Self::InvalidConfiguration => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-configuration", "The configuration is not valid")
            }
            Self::NotApplicable => {
                (StatusCode::CONFLICT, "not-applicable", "The configuration can't be applied here")
            }
            Self::Unsupported => (StatusCode::NOT_IMPLEMENTED, "unsupported", "That is not implemented"),
            Self::Version => {
                (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "version", "HTTP/1.0 and HTTP/1.1 are spoken here")
            }
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much is going on"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping", "Weir is about to stop"),
            Self::Defect => (StatusCode::INTERNAL_SERVER_ERROR, "defect", "A defect in Weir"),
        }
    }

    /// The kind for what the framing guard refuses with `status`.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::URI_TOO_LONG => Self::TargetTooLong,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadTooLarge,
            StatusCode::NOT_IMPLEMENTED => Self::Unsupported,
            StatusCode::HTTP_VERSION_NOT_SUPPORTED => Self::Version,
            _ => Self::Malformed,
        }
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    diagnostics: Vec<Diagnostic>,
    /// For `Allow`.
    allow: Option<String>,
}

/// As it is sent.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Diagnostic]>::is_empty")]
    diagnostics: &'a [Diagnostic],
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), diagnostics: Vec::new(), allow: None }
    }

    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let problem = Self::new(Kind::Method, format!("allowed here: {allow}"));
        Self { allow: Some(allow), ..problem }
    }

    pub(crate) fn is_for_want_of_a_token(&self) -> bool {
        self.kind == Kind::NoToken
    }

    pub(crate) fn with_diagnostics(self, diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, ..self }
    }

    pub(crate) fn into_answer(self) -> Answer {
        let (status, slug, title) = self.kind.facts();
        let document = Document {
            r#type: format!("urn:weir:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            diagnostics: &self.diagnostics,
        };
        let mut answer: Response<Bytes> =
            text("application/problem+json", serde_json::to_vec(&document).unwrap_or_default());
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        if self.kind == Kind::NoToken {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"weir\""));
        }
        if self.kind == Kind::Busy {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        answer
    }
}
