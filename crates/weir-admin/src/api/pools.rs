//! `/api/v1/pools`: pools with their servers.

use http::StatusCode;
use serde::Serialize;

use super::problem::{Kind, Problem};
use super::{Answer, json};
use crate::operator::Operator;
use crate::view::{PoolView, PoolsView};

#[derive(Serialize)]
struct List<'a> {
    pools: PoolsView<'a>,
}

pub(super) fn list(operator: &Operator) -> Result<Answer, Problem> {
    let snapshot = operator.proxy().snapshot();
    json(StatusCode::OK, &List { pools: PoolsView(&snapshot.pools) })
}

pub(super) fn get(operator: &Operator, name: &str) -> Result<Answer, Problem> {
    let snapshot = operator.proxy().snapshot();
    let pool = snapshot.pool(name).ok_or_else(|| no_such_pool(name))?;
    json(StatusCode::OK, &PoolView(pool))
}

pub(super) fn no_such_pool(name: &str) -> Problem {
    Problem::new(Kind::NoSuchPool, format!("no pool `{name}`; see /api/v1/pools"))
}
