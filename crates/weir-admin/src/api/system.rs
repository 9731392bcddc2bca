//! `/api/v1/system`: the machine, and what the appliance's process 1 has come to.

use http::StatusCode;

use super::problem::{Kind, Problem};
use super::{Answer, json};
use crate::operator::Operator;
use crate::system::System;

pub(super) async fn get(operator: &Operator) -> Result<Answer, Problem> {
    json(StatusCode::OK, &read(operator).await?)
}

/// Apart from the main thread: the kernel asks devices for some of it.
pub(super) async fn read(operator: &Operator) -> Result<System, Problem> {
    let uptime = operator.started.0.elapsed().as_secs();
    let appliance = operator.setup().appliance.clone();
    let read = tokio::task::spawn_blocking(move || System::now(uptime, appliance.as_deref()));
    read.await.map_err(|_| Problem::new(Kind::Defect, "a defect in Weir ended the look at this machine"))
}
