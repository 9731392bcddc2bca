//! `/api/v1/pools/{pool}/servers/{server}`: look at a server, drain it, bring it back, change its weight.

use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;
use weir_config::model::Weight;
use weir_proxy::{ServerChange, UnknownServer};

use super::body::{self, Accepted};
use super::pools::no_such_pool;
use super::problem::{Kind, Problem};
use super::{Answer, json};
use crate::operator::Operator;
use crate::view::{STATES, ServerView};

const CHANGE: Accepted =
    Accepted { bytes_max: 64 << 10, media_types: &["application/json", "application/merge-patch+json"] };

pub(super) fn get(operator: &Operator, pool: &str, server: &str) -> Result<Answer, Problem> {
    let snapshot = operator.proxy().snapshot();
    let found = snapshot.pool(pool).ok_or_else(|| no_such_pool(pool))?;
    let found = found.server(server).ok_or_else(|| no_such_server(pool, server))?;
    json(StatusCode::OK, &ServerView(found))
}

pub(super) async fn change(
    operator: &Operator,
    pool: &str,
    server: &str,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let change = parse(&body::read(request, &CHANGE).await?)?;
    get(operator, pool, server)?; // says which of the two there is not
    operator
        .proxy()
        .set_server(pool, server, change)
        .await
        .map_err(|UnknownServer { pool, server }| no_such_server(&pool, &server))?;
    get(operator, pool, server)
}

fn no_such_server(pool: &str, server: &str) -> Problem {
    let detail =
        format!("no server `{server}` in pool `{pool}`; see /api/v1/pools/{}", super::path::encode(pool));
    Problem::new(Kind::NoSuchServer, detail)
}

/// Reads a change. Everything in it must be understood: a misspelt field would be a change not made.
fn parse(text: &str) -> Result<ServerChange, Problem> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Problem::new(Kind::Malformed, format!("the body is not JSON: {error}")))?;
    let Value::Object(fields) = value else { return Err(invalid("the body must be a JSON object")) };
    let mut change = ServerChange::default();
    for (name, value) in &fields {
        match name.as_str() {
            "state" => change.state = Some(state(value)?),
            "weight" => change.weight = Some(weight(value)?),
            _ => return Err(invalid(&format!("unknown field `{name}`; known are `state` and `weight`"))),
        }
    }
    if change == ServerChange::default() {
        return Err(invalid("nothing to change; give `state`, `weight` or both"));
    }
    Ok(change)
}

fn state(value: &Value) -> Result<weir_proxy::snapshot::OperatorState, Problem> {
    STATES.iter().find(|(_, word)| value == word).map(|(state, _)| *state).ok_or_else(|| {
        invalid(&format!("`state` must be \"ready\", \"drain\" or \"maintenance\", not {value}"))
    })
}

fn weight(value: &Value) -> Result<Weight, Problem> {
    value.as_u64().and_then(|weight| u16::try_from(weight).ok()).and_then(Weight::new).ok_or_else(|| {
        invalid(&format!("`weight` must be a whole number from 0 to {}, not {value}", Weight::MAX))
    })
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Kind::InvalidChange, detail)
}

#[cfg(test)]
mod tests {
    use weir_proxy::snapshot::OperatorState;

    use super::*;

    #[test]
    fn a_change_is_understood_as_a_whole_or_refused() {
        let change = parse(r#"{"state": "drain", "weight": 0}"#).unwrap();
        assert_eq!(change.state, Some(OperatorState::Drain));
        assert_eq!(change.weight, Weight::new(0));
        for (text, says) in [
            ("{", "not JSON"),
            ("[]", "JSON object"),
            ("{}", "nothing to change"),
            (r#"{"state": "Drain"}"#, "\"ready\", \"drain\" or \"maintenance\""),
            (r#"{"state": null}"#, "`state`"),
            (r#"{"weight": 257}"#, "0 to 256"),
            (r#"{"weight": 1.5}"#, "0 to 256"),
            (r#"{"weight": -1}"#, "0 to 256"),
            (r#"{"weight": "1"}"#, "0 to 256"),
            (r#"{"state": "drain", "wieght": 1}"#, "`wieght`"),
        ] {
            let problem = format!("{:?}", parse(text).unwrap_err());
            assert!(problem.replace('\\', "").contains(says), "{text}: {problem}");
        }
    }
}
