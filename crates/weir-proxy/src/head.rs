//! The heads of messages, as an exchange sees them, whatever protocol they came in.

use http::{Method, StatusCode, Uri, Version};

use crate::fields::Fields;

/// A request's head.
#[derive(Debug, Clone)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) target: Uri,
    /// In which it came.
    pub(crate) version: Version,
    pub(crate) fields: Fields,
}

/// A response's head.
#[derive(Debug, Clone)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    /// In which it came.
    pub(crate) version: Version,
    pub(crate) fields: Fields,
}
