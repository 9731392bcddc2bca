//! System calls, counted by strace.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;

use super::Load;
use super::case::Case;
use super::client::Client;
use super::subject::Setup;

/// How often each system call was made, by name.
pub type Counts = BTreeMap<String, f64>;

/// System calls of one request. strace counts a whole life of Weir, so it has two, with a short and a long load.
///
/// # Errors
/// When strace is missing or may not trace, or a request fails.
pub async fn measure(setup: &Setup, case: Case, load: Load) -> anyhow::Result<Counts> {
    let few = count(setup, case, load.few).await?;
    let many = count(setup, case, load.many).await?;
    let names = many.keys().chain(few.keys());
    let difference = |name: &String| {
        let count = |counts: &Counts| counts.get(name).copied().unwrap_or(0.0);
        (count(&many) - count(&few)) / load.difference()
    };
    Ok(names.map(|name| (name.clone(), difference(name))).collect())
}

async fn count(setup: &Setup, case: Case, requests: u32) -> anyhow::Result<Counts> {
    let what = format!("strace-{}-{requests}", case.name);
    let file = setup.directory.sub(&what)?.join("counts");
    // With -D the tracer is no parent of Weir, so what is signalled is Weir.
    let mut arguments = ["-D", "-f", "-qq", "-c", "-o"].map(Into::into).to_vec();
    arguments.push(file.clone().into_os_string());
    let subject = setup.start(&what, "strace", arguments, case).await?;
    Client::new(&subject, case).ask(requests).await?;
    subject.end().await?;
    let text = fs::read_to_string(file).context("strace has written nothing")?;
    parse(&text).context("strace has written something else than counts")
}

/// The table that `strace -c` prints; `None` if it is none.
fn parse(text: &str) -> Option<Counts> {
    let rules = |line: &&str| line.starts_with("------");
    let mut lines = text.lines();
    lines.find(rules)?;
    let rows = lines.take_while(|line| !rules(line));
    rows.map(|row| {
        // % time, seconds, usecs/call, calls, errors or nothing, name
        let mut words = row.split_ascii_whitespace();
        let calls = words.nth(3)?.parse().ok()?;
        Some((words.last()?.to_owned(), calls))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_counts_is_read() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n \
            52.11    0.001234          12       100           epoll_wait\n  \
            0.00    0.000000           0         3         2 recvfrom\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.001234          11       103         2 total\n";
        let counts = parse(text).unwrap();
        assert_eq!(counts, Counts::from([("epoll_wait".into(), 100.0), ("recvfrom".into(), 3.0)]));
        assert_eq!(parse(""), None);
    }
}
