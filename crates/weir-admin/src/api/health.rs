//! `/healthz` and `/readyz`: whether the process lives, and whether it serves.

use http::StatusCode;
use serde_json::json;
use weir_proxy::Phase;

use super::{Answer, json};
use crate::api::problem::Problem;
use crate::operator::Operator;
use crate::view::phase_word;

pub(super) fn healthz() -> Answer {
    json(StatusCode::OK, &json!({ "status": "alive" })).unwrap_or_else(Problem::into_answer)
}

pub(super) fn readyz(operator: &Operator) -> Answer {
    let phase = operator.proxy().phase();
    let status = match phase {
        Phase::Serving => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(status, &json!({ "status": phase_word(phase) })).unwrap_or_else(Problem::into_answer)
}
