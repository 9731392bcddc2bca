//! `/api/v1/config`: the running configuration, and another one in its place.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::SemaphorePermit;
use weir_proxy::ApplyError;

use super::body::{self, Accepted};
use super::problem::{Kind, Problem};
use super::{Answer, json, text};
use crate::failure::ReloadError;
use crate::operator::{Operator, Reloaded, Saved};

pub(super) const CONFIGURATION: Accepted = Accepted {
    bytes_max: 64 << 20,
    media_types: &[
        "application/yaml",
        "application/x-yaml",
        "text/yaml",
        "text/x-yaml",
        "application/json", // which is YAML, too
    ],
};

pub(super) async fn get(operator: &Operator) -> Result<Answer, Problem> {
    let config = Arc::clone(&operator.proxy().snapshot().config);
    let generation = operator.reloads().generation;
    let yaml = tokio::task::spawn_blocking(move || weir_config::to_yaml(&config)).await;
    let yaml = yaml.map_err(|_| Problem::new(Kind::Defect, "the configuration can't be printed"))?;
    Ok(with_etag(text("application/yaml", yaml), generation))
}

pub(super) async fn replace(operator: &Rc<Operator>, request: Request<Incoming>) -> Result<Answer, Problem> {
    let expected = expected_generation(request.headers())?;
    let _permit = permit(operator)?;
    let text = body::read(request, &CONFIGURATION).await?;
    let Reloaded { applied, warnings, saved } = operator.replace(text, expected).await.map_err(|error| {
        tracing::warn!(%error, "configuration refused; the old one serves");
        problem(&error)
    })?;
    let generation = applied.generation;
    tracing::info!(generation, "configuration replaced by the operator");
    let warnings: Vec<_> = warnings.iter().collect();
    let mut notes = applied.notes;
    if let Saved::Failed(why) = &saved {
        notes.push(format!("it serves, and the next start will not know of it: {why}"));
    }
    let saved = saved == Saved::Yes;
    let answer = json!({ "generation": generation, "saved": saved, "notes": notes, "warnings": warnings });
    Ok(with_etag(json(StatusCode::OK, &answer)?, generation))
}

/// Leave to send a candidate configuration: it may be large, so only a few are on their way at once.
pub(super) fn permit(operator: &Operator) -> Result<SemaphorePermit<'_>, Problem> {
    operator
        .uploads
        .try_acquire()
        .map_err(|_| Problem::new(Kind::Busy, "too many configurations are being sent; try again"))
}

/// The generation that `If-Match` names; `None` when any will do.
fn expected_generation(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let tag = value.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(None);
    }
    let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| Problem::new(Kind::Stale, "If-Match must be the ETag that GET /api/v1/config gave"))
}

fn with_etag(mut answer: Answer, generation: u64) -> Answer {
    let etag = HeaderValue::from_str(&format!("\"{generation}\"")).expect("digits in quotes");
    answer.headers_mut().insert(ETAG, etag);
    answer
}

fn problem(error: &ReloadError) -> Problem {
    let kind = match error {
        ReloadError::Invalid(found) => {
            let detail = format!("{error}; what served before still does");
            return Problem::new(Kind::InvalidConfiguration, detail)
                .with_diagnostics(found.iter().cloned().collect());
        }
        ReloadError::Apply(ApplyError::Draining) => Kind::Stopping,
        ReloadError::Token(_)
        | ReloadError::Bind(_)
        | ReloadError::Apply(ApplyError::Bind { .. } | ApplyError::AccessLog { .. }) => Kind::NotApplicable,
        ReloadError::Stale { .. } => Kind::Stale,
        ReloadError::Defect => Kind::Defect,
    };
    Problem::new(kind, error.to_string())
}
