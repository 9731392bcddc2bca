//! `/api/v1/stats`: all counters and gauges.

use http::StatusCode;

use super::problem::Problem;
use super::{Answer, json};
use crate::operator::Operator;
use crate::view::StatsView;

pub(super) fn get(operator: &Operator) -> Result<Answer, Problem> {
    json(StatusCode::OK, &StatsView::of(operator))
}
