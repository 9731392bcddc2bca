//! Why a message was refused: one variant a reason, one table to a status.
//!
//! The `Display` text is the cause in the access log and the error log, so it names what the peer sent and
//! carries no byte of it: a log line can't be forged by the request that is refused.

use http::StatusCode;

/// What made a message unfit to be read, let alone forwarded. After one the connection has no known message
/// boundary any more: answer (a request) and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the text of each error is what there is to say")]
pub enum Violation {
    // Lines, RFC 9112 section 2.2
    #[error("bare LF in the head")]
    BareLf,
    #[error("bare CR in the head")]
    BareCr,
    #[error("NUL in the head")]
    Nul,
    #[error("control byte in a field value")]
    ControlByte,
    #[error("more than one empty line before the request")]
    BlankLines,

    // Limits
    #[error("head larger than the limit")]
    HeadTooLarge,
    #[error("more fields than the limit")]
    TooManyFields,
    #[error("field name longer than the limit")]
    FieldNameTooLong,
    #[error("request target longer than the limit")]
    TargetTooLong,
    #[error("body larger than the limit")]
    BodyTooLarge,

    // Request line, RFC 9112 section 3
    #[error("request line is not method, target and version with one space between")]
    RequestLineInvalid,
    #[error("method is not a token")]
    MethodInvalid,
    #[error("method longer than any known one")]
    MethodTooLong,
    #[error("HTTP/2 preface on an HTTP/1 connection")]
    Http2Preface,
    #[error("HTTP version is neither 1.0 nor 1.1")]
    VersionUnsupported,
    #[error("byte in the request target that a URI can't hold")]
    TargetInvalid,
    #[error("request target has a fragment")]
    TargetFragment,
    #[error("form of the request target does not fit the method")]
    TargetFormInvalid,
    #[error("user information in the request target")]
    TargetUserinfo,
    #[error("authority in the request target is invalid")]
    AuthorityInvalid,

    // Host, RFC 9112 section 3.2
    #[error("no Host field in an HTTP/1.1 request")]
    HostMissing,
    #[error("more than one Host field")]
    HostRepeated,
    #[error("invalid Host field")]
    HostInvalid,
    #[error("Host field and request target name different authorities")]
    HostMismatch,

    // Fields, RFC 9112 section 5
    #[error("field name is not a token followed by a colon")]
    FieldNameInvalid,
    #[error("white space before the colon of a field")]
    SpaceBeforeColon,
    #[error("folded field line")]
    FieldFolded,

    // Message length, RFC 9112 section 6
    #[error("invalid Content-Length")]
    LengthInvalid,
    #[error("more than one Content-Length field")]
    LengthRepeated,
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndTransferEncoding,
    #[error("invalid Transfer-Encoding")]
    TransferEncodingInvalid,
    #[error("more than one Transfer-Encoding field")]
    TransferEncodingRepeated,
    #[error("transfer coding other than chunked")]
    TransferCodingUnknown,
    #[error("Transfer-Encoding in an HTTP/1.0 message")]
    TransferEncodingInHttp10,
    #[error("CONNECT request with a body")]
    ConnectWithBody,

    // Chunks, RFC 9112 section 7.1
    #[error("invalid chunk size")]
    ChunkSizeInvalid,
    #[error("chunk size line does not end in CRLF")]
    ChunkLineInvalid,
    #[error("invalid chunk extension")]
    ChunkExtensionInvalid,
    #[error("chunk extensions larger than the limit")]
    ChunkExtensionsTooLarge,
    #[error("chunk data not followed by CRLF")]
    ChunkEndInvalid,
    #[error("framing or routing field in the trailers")]
    TrailerForbidden,

    // HTTP/2, RFC 9113 sections 8.1.1 and 8.2.1
    #[error("white space around a field value in HTTP/2")]
    ValuePadded,
    #[error("frames that broke the HTTP/2 stream")]
    StreamBroken,

    // The connection
    #[error("connection closed inside a message")]
    Truncated,

    // Only responses
    #[error("not an HTTP/1 status line")]
    StatusLineInvalid,
    #[error("status code outside 100 to 599")]
    StatusInvalid,
    #[error("101 that was not asked for")]
    UpgradeUnasked,
    #[error("too many interim responses")]
    InterimTooMany,
    #[error("bytes that no request asked for")]
    UnsolicitedBytes,
}

impl Violation {
    /// The status a client gets when its *request* did this. A response that did it is a 502, whatever the
    /// variant; the variants that only a response can cause say so here.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::BareLf
            | Self::BareCr
            | Self::Nul
            | Self::ControlByte
            | Self::BlankLines
            | Self::RequestLineInvalid
            | Self::MethodInvalid
            | Self::TargetInvalid
            | Self::TargetFragment
            | Self::TargetFormInvalid
            | Self::TargetUserinfo
            | Self::AuthorityInvalid
            | Self::HostMissing
            | Self::HostRepeated
            | Self::HostInvalid
            | Self::HostMismatch
            | Self::FieldNameInvalid
            | Self::SpaceBeforeColon
            | Self::FieldFolded
            | Self::LengthInvalid
            | Self::LengthRepeated
            | Self::LengthAndTransferEncoding
            | Self::TransferEncodingInvalid
            | Self::TransferEncodingRepeated
            | Self::TransferEncodingInHttp10
            | Self::ConnectWithBody
            | Self::ChunkSizeInvalid
            | Self::ChunkLineInvalid
            | Self::ChunkExtensionInvalid
            | Self::ChunkExtensionsTooLarge
            | Self::ChunkEndInvalid
            | Self::TrailerForbidden
            | Self::ValuePadded
            | Self::StreamBroken
            | Self::Truncated => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge | Self::TooManyFields | Self::FieldNameTooLong => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            // RFC 9112 section 3: a method longer than any implemented; section 6.1: a coding not understood
            Self::MethodTooLong | Self::TransferCodingUnknown => StatusCode::NOT_IMPLEMENTED,
            Self::Http2Preface | Self::VersionUnsupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::StatusLineInvalid
            | Self::StatusInvalid
            | Self::UpgradeUnasked
            | Self::InterimTooMany
            | Self::UnsolicitedBytes => StatusCode::BAD_GATEWAY,
        }
    }
}
