//! Which answer a path gets. One function decides; the others only build.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::body::OriginBody;
use super::{Origin, page};

/// The largest body of `/size/N` and `/?s=N`, in bytes.
const SIZE_BYTES_MAX: u64 = 1 << 30;

/// The longest wait of `/delay/MS`.
const DELAY_MAX: Duration = Duration::from_secs(60);

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Answers one request.
pub(super) async fn answer(
    origin: &Origin,
    client: SocketAddr,
    request: Request<Incoming>,
) -> Response<OriginBody> {
    let path = request.uri().path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let mut response = match first {
        "healthz" => build(StatusCode::OK, TEXT, OriginBody::text("ok")),
        "headers" => build(StatusCode::OK, JSON, OriginBody::text(headers(&request))),
        "echo" => echo(request),
        "size" => match number(rest, SIZE_BYTES_MAX) {
            Ok(bytes) => build(StatusCode::OK, BYTES, OriginBody::filler(bytes)),
            Err(refusal) => refuse(&refusal),
        },
        "delay" => match number(rest, DELAY_MAX.as_millis() as u64) {
            Ok(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                greet(origin, client, &request)
            }
            Err(refusal) => refuse(&refusal),
        },
        "status" => match rest.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok()) {
            Some(status) if (200..600).contains(&status.as_u16()) => {
                build(status, TEXT, OriginBody::text(""))
            }
            Some(_) | None => refuse("expected a status from 200 to 599"),
        },
        _ => match size_asked(request.uri().query()) {
            Some(Ok(bytes)) => build(StatusCode::OK, BYTES, OriginBody::filler(bytes)),
            Some(Err(refusal)) => refuse(&refusal),
            None => greet(origin, client, &request),
        },
    };
    // A name that is not valid in a field stays away; the page has it anyway.
    if let Ok(name) = HeaderValue::from_str(&origin.name) {
        response.headers_mut().insert("x-origin", name);
    }
    response
}

fn build(status: StatusCode, content_type: HeaderValue, body: OriginBody) -> Response<OriginBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

fn refuse(why: &str) -> Response<OriginBody> {
    build(StatusCode::BAD_REQUEST, TEXT, OriginBody::text(format!("{why}\n")))
}

/// A whole number of at most `max`.
fn number(text: &str, max: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|&number| number <= max);
    number.ok_or_else(|| format!("expected a whole number up to {max}"))
}

/// The size that a query such as `s=64k` asks for, if it asks for one: bytes, or with `k` or `m` KiB or MiB.
/// The way of httpterm, so that load generators made for that find the same here.
fn size_asked(query: Option<&str>) -> Option<Result<u64, String>> {
    let size = query?.split('&').find_map(|pair| pair.strip_prefix("s="))?;
    let (digits, unit) = match size.as_bytes().last() {
        Some(b'k') => (&size[..size.len() - 1], 1 << 10),
        Some(b'm') => (&size[..size.len() - 1], 1 << 20),
        Some(_) | None => (size, 1),
    };
    Some(number(digits, SIZE_BYTES_MAX / unit).map(|number| number * unit))
}

/// The page, as HTML for those who ask for it, that is browsers, else as plain text.
fn greet(origin: &Origin, client: SocketAddr, request: &Request<Incoming>) -> Response<OriginBody> {
    let accept = request.headers().get(header::ACCEPT).map_or(&b""[..], HeaderValue::as_bytes);
    if String::from_utf8_lossy(accept).contains("text/html") {
        build(StatusCode::OK, HTML, OriginBody::text(page::html(&origin.name, client, request)))
    } else {
        build(StatusCode::OK, TEXT, OriginBody::text(page::text(&origin.name, client, request)))
    }
}

fn echo(request: Request<Incoming>) -> Response<OriginBody> {
    let content_type = request.headers().get(header::CONTENT_TYPE).cloned().unwrap_or(BYTES);
    build(StatusCode::OK, content_type, OriginBody::Echo(request.into_body()))
}

/// `{"name": ["value", …]}`, in the order of arrival within a name.
fn headers<B>(request: &Request<B>) -> String {
    let mut fields = Map::new();
    for name in request.headers().keys() {
        let values = request.headers().get_all(name).iter();
        let values = values.map(|value| Value::from(String::from_utf8_lossy(value.as_bytes()))).collect();
        fields.insert(name.as_str().to_owned(), Value::Array(values));
    }
    Value::Object(fields).to_string()
}
