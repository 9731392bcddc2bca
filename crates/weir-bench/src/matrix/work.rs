//! Work without a network: the target is asked to judge a small configuration whose regular expressions are long to
//! compile. It needs no more of a target than its admin API, and a few kilobytes each way.

use std::time::Instant;

use super::admin::{AdminError, Client};
use crate::results::WorkTime;

/// Expressions, each of which takes a few milliseconds to compile on a processor of today.
const EXPRESSIONS: usize = 20;

/// Classes of letters in an expression.
const CLASSES: usize = 20;

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
    // To fold the cases of all letters that Unicode has, and to leave one of them, is much to compute with few bytes in
    // and out and little memory. Memory would be another thing to measure: a guest's pages are dear.
    let classes = r"[\w&&a]".repeat(CLASSES);
    let route = |index: usize| {
        format!("      - {{ match: {{ path_regex: '(?i)^/{index}/{classes}$' }}, respond: {{}} }}\n")
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
