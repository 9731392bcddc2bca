//! From a request to its answer: who asks, which route, what it does.
//!
//! Every request goes through [`answer`]: routing and authority are decided there and nowhere else.

mod access;
mod body;
mod check;
mod config;
mod health;
mod page;
mod path;
mod pools;
pub(crate) mod problem;
pub(crate) mod routes;
mod servers;
mod stats;
mod system;

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use self::path::Segments;
use self::problem::{Kind, Problem};
use self::routes::{Endpoint, Found};
use crate::operator::Operator;
use crate::{metrics, openapi};

/// What a request is answered with.
pub(crate) type Answer = Response<Bytes>;

/// Answers a request.
pub(crate) async fn answer(operator: &Rc<Operator>, request: Request<Incoming>) -> Answer {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let answer = dispatch(operator, request).await.unwrap_or_else(Problem::into_answer);
    tracing::debug!(%method, path, status = answer.status().as_u16(), "admin request");
    answer
}

async fn dispatch(operator: &Rc<Operator>, request: Request<Incoming>) -> Result<Answer, Problem> {
    let found = routes::find(request.method(), request.uri().path());
    if !found.is_open() {
        access::check(operator, &request)?;
    }
    let (endpoint, segments) = match found {
        Found::Route(route, segments) => (route.endpoint, segments),
        Found::OtherMethods(allow) => return Err(Problem::method_not_allowed(allow)),
        Found::Nothing => return Err(Problem::new(Kind::NotFound, "nothing is here; see /openapi.json")),
    };
    let Segments { pool, server } = segments.decode()?;
    match endpoint {
        Endpoint::Page => Ok(page::get(operator)),
        Endpoint::Healthz => Ok(health::healthz()),
        Endpoint::Readyz => Ok(health::readyz(operator)),
        Endpoint::Metrics => Ok(text("text/plain; version=0.0.4; charset=utf-8", metrics::render(operator))),
        Endpoint::OpenApi => json(StatusCode::OK, &openapi::document()),
        Endpoint::Stats => stats::get(operator),
        Endpoint::System => system::get(operator).await,
        Endpoint::Pools => pools::list(operator),
        Endpoint::Pool => pools::get(operator, &pool),
        Endpoint::Server => servers::get(operator, &pool, &server),
        Endpoint::ChangeServer => servers::change(operator, &pool, &server, request).await,
        Endpoint::Config => config::get(operator).await,
        Endpoint::ReplaceConfig => config::replace(operator, request).await,
        Endpoint::CheckConfig => check::check(operator, request).await,
    }
}

/// An answer of this media type.
fn text(media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let body = body.into();
    let mut answer = Response::new(Bytes::new());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, body.len().into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.map(|_| body)
}

/// A JSON answer.
fn json(status: StatusCode, value: &impl Serialize) -> Result<Answer, Problem> {
    let mut body = serde_json::to_vec(value)
        .map_err(|error| Problem::new(Kind::Defect, format!("the answer can't be written: {error}")))?;
    body.push(b'\n');
    let mut answer = text("application/json", body);
    *answer.status_mut() = status;
    Ok(answer)
}
