//! Reading a request's body, within its bounds of size, time and media type.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::problem::{Kind, Problem};

/// For the whole body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What may be sent to an endpoint.
pub(super) struct Accepted {
    pub(super) bytes_max: usize,
    /// Media types, without parameters.
    pub(super) media_types: &'static [&'static str],
}

/// A body that is UTF-8.
pub(super) async fn read(request: Request<Incoming>, accepted: &Accepted) -> Result<String, Problem> {
    check_media_type(&request, accepted)?;
    let bytes = collect(request, accepted.bytes_max).await?;
    String::from_utf8(bytes.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::new(Kind::Malformed, format!("the body is not UTF-8 (byte {at})"))
    })
}

/// A request without a media type is taken as what is expected, and so is what tools say by default.
fn check_media_type(request: &Request<Incoming>, accepted: &Accepted) -> Result<(), Problem> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let value = value.to_str().unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    let lenient = ["", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain"];
    let taken =
        accepted.media_types.iter().chain(&lenient).any(|taken| taken.eq_ignore_ascii_case(media_type));
    if taken {
        return Ok(());
    }
    let wanted = accepted.media_types.join(", ");
    Err(Problem::new(Kind::MediaType, format!("Content-Type must be one of {wanted}")))
}

async fn collect(request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::TooLarge, format!("at most {bytes_max} bytes are taken here"));
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > bytes_max as u64) {
        return Err(too_large()); // before it is sent
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(request.into_body(), bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Kind::Malformed, "the body broke off or its framing is not valid")),
        Err(_) => Err(Problem::new(Kind::TooSlow, "the body took longer than 30 s")),
    }
}
