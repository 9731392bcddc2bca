//! What can be wrong with first-boot data, with the place and the remedy. Not here: what is wrong within a Weir file,
//! which `weir_config` says better.

use std::io;

use super::text::BYTES_MAX;

/// Something wrong in a place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{place}: {problem}")]
pub(crate) struct Fault {
    /// For people, such as `opt/weir/config` or `/dev/sr0 (cidata)/user-data`.
    pub(crate) place: String,
    pub(crate) problem: Problem,
}

impl Fault {
    pub(crate) fn new(place: &str, problem: impl Into<Problem>) -> Self {
        Self { place: place.to_owned(), problem: problem.into() }
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Problem {
    #[error("can't be read: {0}")]
    Unreadable(String),
    #[error("larger than {BYTES_MAX} bytes; give it as gzip+base64, or a shorter file")]
    TooLarge,
    #[error("starts like base64 and is not: {0}; encode it with `base64 -w0`")]
    NotBase64(String),
    #[error("starts like gzip and can't be unpacked: {0}; pack it with `gzip -9`")]
    NotGzip(String),
    #[error(
        "neither text in UTF-8 nor base64 nor gzip; give the Weir file as it is, or `gzip -9 | base64 -w0` of it"
    )]
    NotText,
    #[error(
        "{kind}, which only cloud-init understands; give a Weir file (it begins with `version: 1`) instead"
    )]
    CloudInit {
        /// Such as "a #cloud-config".
        kind: &'static str,
    },
    #[error("the encoding `{0}` is unknown; it is `base64` or `gzip+base64`, or leave it out")]
    UnknownEncoding(String),
    #[error(
        "piece {missing} is missing, though there are later ones; number them 0, 1, 2, ... without a gap"
    )]
    PieceMissing {
        /// Its number.
        missing: usize,
    },
    #[error("piece `{0}` has a number that is none; they are 0, 1, 2, ...")]
    PieceNumber(String),
    #[error("{0}")]
    Malformed(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}
