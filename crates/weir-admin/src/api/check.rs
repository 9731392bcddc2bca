//! `/api/v1/config/check`: what `weir check` would say.

use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use weir_config::Diagnostics;

use super::config::{CONFIGURATION, permit};
use super::problem::{Kind, Problem};
use super::{Answer, body, json};
use crate::operator::Operator;

pub(super) async fn check(operator: &Operator, request: Request<Incoming>) -> Result<Answer, Problem> {
    let _permit = permit(operator)?;
    let text = body::read(request, &CONFIGURATION).await?;
    let loaded =
        operator.load(text.into()).await.map_err(|error| Problem::new(Kind::Defect, error.to_string()))?;
    match loaded {
        Ok(ready) => verdict(true, &ready.warnings),
        Err(found) => verdict(false, &found),
    }
}

fn verdict(valid: bool, found: &Diagnostics) -> Result<Answer, Problem> {
    let diagnostics: Vec<_> = found.iter().collect();
    let verdict = json!({
        "valid": valid,
        "errors": found.errors(),
        "warnings": found.warnings(),
        "diagnostics": diagnostics,
    });
    json(StatusCode::OK, &verdict)
}
