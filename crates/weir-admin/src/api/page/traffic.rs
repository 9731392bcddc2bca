//! Listeners, pools and servers, and how they fare.

use weir_proxy::snapshot::{Listener, Pool, Server, Snapshot};

use super::super::path::encode;
use super::{Escaped, Page};
use crate::operator::Operator;
use crate::view::{balance_word, check_detail, state_word};

/// The most servers of a pool that are shown; the API has them all.
const SERVERS_MAX: usize = 200;

pub(super) fn sections(page: &mut Page, operator: &Operator, snapshot: &Snapshot) {
    listeners(page, operator, snapshot);
    for pool in &snapshot.pools {
        one_pool(page, pool);
    }
}

fn listeners(page: &mut Page, operator: &Operator, snapshot: &Snapshot) {
    let bound = operator.proxy().bound();
    page.put(format_args!(
        "<section><h2>Listeners</h2><div class=\"wide\"><table><tr><th>listener<th>address<th class=\"n\">sessions<th class=\"n\">requests\
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
    page.put(format_args!("</table></div></section>"));
}

fn one_pool(page: &mut Page, pool: &Pool) {
    let Pool { config, servers, status, .. } = pool;
    page.put(format_args!(
        "<section><h2>Pool <a href=\"/api/v1/pools/{}\">{}</a></h2><p class=\"note\">{}, {} requests, {} retries, {} waiting</p>\
         <div class=\"wide\"><table><tr><th>server<th>health<th>state<th class=\"n\">weight<th class=\"n\">in flight\
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
    page.put(format_args!("</table></div>"));
    if servers.len() > SERVERS_MAX {
        page.put(format_args!("<p class=\"note\">and {} more</p>", servers.len() - SERVERS_MAX));
    }
    page.put(format_args!("</section>"));
}

fn one_server(page: &mut Page, pool: &str, server: &Server) {
    let report = server.status.report();
    let totals = server.status.counters.totals();
    let health = report.health.as_str();
    let check = report.last_check.as_ref().map(check_detail).unwrap_or_default();
    page.put(format_args!(
        "<tr><td><a href=\"/api/v1/pools/{}/servers/{}\">{}</a>{}<td><span class=\"{health}\">{health}</span>{}<td>{}\
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
