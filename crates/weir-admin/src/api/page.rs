//! `/`: what people see first. One page, made here, without scripts; it shows, and changes nothing.

use std::fmt::{self, Display, Write};

use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use weir_proxy::snapshot::{Listener, Pool, Server, Snapshot};

use super::path::encode;
use super::{Answer, text};
use crate::operator::Operator;
use crate::view::{balance_word, check_detail, phase_word, state_word};

/// The most servers of a pool that are shown; the API has them all.
const SERVERS_MAX: usize = 200;

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1d2530;background:#fff}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .3rem}nav a{margin-right:1rem}p{margin:.4rem 0}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #e3e7ec}\
th{font-weight:600;color:#5a6675}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.up{color:#117a37}.down{color:#b3261e;font-weight:600}.unknown,.note{color:#5a6675}\
@media(prefers-color-scheme:dark){body{color:#dbe2ea;background:#14181d}a{color:#7fb4ff}th,td{border-color:#2b323b}\
.up{color:#5bd185}.down{color:#ff8a80}.unknown,.note,th{color:#98a4b3}}";

pub(super) fn get(operator: &Operator) -> Answer {
    let mut answer = text("text/html; charset=utf-8", render(operator));
    let policy =
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    answer
}

fn render(operator: &Operator) -> String {
    let snapshot = operator.proxy().snapshot();
    let mut page = Page(String::with_capacity(16 << 10));
    let phase = phase_word(operator.proxy().phase());
    page.put(format_args!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Weir</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\
         <h1>Weir {}</h1><p>{phase}, generation {}</p>\
         <nav><a href=\"/api/v1/stats\">stats</a><a href=\"/metrics\">metrics</a>\
         <a href=\"/api/v1/pools\">pools</a><a href=\"/api/v1/config\">configuration</a>\
         <a href=\"/openapi.json\">API</a><a href=\"/readyz\">readiness</a></nav>",
        env!("CARGO_PKG_VERSION"),
        snapshot.generation,
    ));
    if let Some(error) = &operator.reloads().error {
        page.put(format_args!("<p class=\"down\">The last reload was refused: {}</p>", Escaped(error)));
    }
    listeners(&mut page, operator, &snapshot);
    for pool in &snapshot.pools {
        one_pool(&mut page, pool);
    }
    page.0 + "</html>\n"
}

fn listeners(page: &mut Page, operator: &Operator, snapshot: &Snapshot) {
    let bound = operator.proxy().bound();
    page.put(format_args!(
        "<h2>Listeners</h2><table><tr><th>listener<th>address<th class=\"n\">sessions<th class=\"n\">requests\
         <th class=\"n\">4xx<th class=\"n\">5xx"
    ));
    for listener in &snapshot.listeners {
        let Listener { config, status, .. } = &**listener;
        let totals = status.counters.totals();
        page.put(format_args!("<tr><td>{}<td>", Escaped(&config.name)));
        for (_, address) in bound.iter().filter(|(name, _)| **name == *config.name) {
            page.put(format_args!("{address} "));
        }
        page.put(format_args!(
            "<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}",
            totals.sessions.saturating_sub(totals.sessions_closed),
            totals.exchanges,
            totals.responses_4xx,
            totals.responses_5xx,
        ));
    }
    page.put(format_args!("</table>"));
}

fn one_pool(page: &mut Page, pool: &Pool) {
    let Pool { config, servers, status, .. } = pool;
    page.put(format_args!(
        "<h2>Pool <a href=\"/api/v1/pools/{}\">{}</a></h2><p class=\"note\">{}, {} requests, {} retries, {} waiting</p>\
         <table><tr><th>server<th>health<th>state<th class=\"n\">weight<th class=\"n\">in flight\
         <th class=\"n\">requests<th class=\"n\">failures<th>last check",
        encode(&config.name),
        Escaped(&config.name),
        balance_word(&config.balance),
        status.counters.totals().exchanges,
        status.counters.totals().retries,
        status.queue_length(),
    ));
    for server in servers.iter().take(SERVERS_MAX) {
        one_server(page, &config.name, server);
    }
    page.put(format_args!("</table>"));
    if servers.len() > SERVERS_MAX {
        page.put(format_args!("<p class=\"note\">and {} more</p>", servers.len() - SERVERS_MAX));
    }
}

fn one_server(page: &mut Page, pool: &str, server: &Server) {
    let report = server.status.report();
    let totals = server.status.counters.totals();
    let health = report.health.as_str();
    let check = report.last_check.as_ref().map(check_detail).unwrap_or_default();
    page.put(format_args!(
        "<tr><td><a href=\"/api/v1/pools/{}/servers/{}\">{}</a>{}<td class=\"{health}\">{health}{}<td>{}\
         <td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}",
        encode(pool),
        encode(&server.name),
        Escaped(&server.name),
        if server.config.backup { " (backup)" } else { "" },
        if report.ejected { ", ejected" } else { "" },
        state_word(report.state),
        report.weight,
        server.status.in_flight(),
        totals.exchanges,
        totals.failures,
        Escaped(&check),
    ));
}

struct Page(String);

impl Page {
    fn put(&mut self, what: fmt::Arguments<'_>) {
        self.0.write_fmt(what).expect("a String takes every write");
    }
}

/// Text as it may stand in HTML, in an attribute, too.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_taken_for_markup() {
        assert_eq!(Escaped("<a href='x'>\"&").to_string(), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}
