//! Work without a network: the target is asked to judge a small configuration whose regular expressions are long to
//! compile. It needs no more of a target than its admin API, and a few kilobytes each way.

use std::time::Instant;

use super::admin::{AdminError, Client};
use crate::results::WorkTime;

/// Expressions, each of which takes a good millisecond to compile on a processor of today.
const EXPRESSIONS: usize = 10;

/// How many times; the quickest counts, for nothing makes work quicker than it is.
const TIMES: usize = 3;

/// How long the work takes on a target, the answer to a request for none subtracted.
pub(super) fn measure(client: &Client) -> Result<WorkTime, AdminError> {
    let quickest = |yaml: &str| -> Result<f64, AdminError> {
        let mut least = f64::INFINITY;
        for _ in 0..TIMES {
            let begin = Instant::now();
            client.judge(yaml.as_bytes())?;
            least = least.min(begin.elapsed().as_secs_f64());
        }
        Ok(least)
    };
    let (nothing, all) = (quickest(&configuration(0))?, quickest(&configuration(EXPRESSIONS))?);
    Ok(WorkTime { milliseconds: (all - nothing).max(0.0) * 1000.0 })
}

fn configuration(expressions: usize) -> String {
    // Unicode's classes of letters are large, so a dozen of them are much to compile, and few bytes.
    let route = |index: usize| {
        format!("      - {{ match: {{ path_regex: '^/{index}/\\w{{12}}$' }}, respond: {{}} }}\n")
    };
    let routes: String = (0..expressions).map(route).collect();
    format!(
        "version: 1\nlisteners:\n  work:\n    bind: 127.0.0.1:1\n    routes:\n{routes}      - respond: {{}}\npools: {{}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_a_configuration_that_is_valid() {
        for expressions in [0, EXPRESSIONS] {
            let text = configuration(expressions);
            assert!(text.len() < 8 << 10);
            weir_config::parse(&text).unwrap_or_else(|found| panic!("{found}"));
        }
    }
}
