//! What a browser gets that comes without the token: a page that asks for it, and then shows what was asked for.
//!
//! The page itself says nothing of Weir's state. The token stays in the tab's storage and goes with each request in the
//! `Authorization` field, as a script's does, so there is one way in and nothing that a foreign page could ride on.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;
use http::header::{ACCEPT, CONTENT_SECURITY_POLICY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::page::STYLE;
use super::problem::Problem;
use super::{Answer, text};

const SCRIPT: &str = include_str!("login.js");

/// Nothing but this very script may run.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64.encode(digest(&SHA256, SCRIPT.as_bytes()).as_ref());
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    HeaderValue::try_from(policy).expect("printable ASCII")
});

/// Whether a person in front of a browser asks to see something.
pub(super) fn is_person(method: &Method, headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    *method == Method::GET && accepts.split(',').any(|range| range.trim().starts_with("text/html"))
}

/// `refusal` as a page to read, with the form.
pub(super) fn page(refusal: Problem) -> Answer {
    let refusal = refusal.into_answer();
    let mut answer = text(
        "text/html; charset=utf-8",
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Weir</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
             <div id=\"shown\"></div><p id=\"said\" class=\"down\"></p>\
             <section id=\"ask\" hidden><h1>Weir</h1><h2>The admin API asks for its token</h2>\
             <p class=\"note\">It is on the appliance's console, or in the file that <code>admin.token_file</code> names. \
             It is kept until this tab is closed.</p>\
             <form><input name=\"token\" type=\"password\" autocomplete=\"current-password\" required \
             placeholder=\"Token\" aria-label=\"Token\"><button>Show</button></form></section>\
             <p><button id=\"leave\" class=\"plain\" hidden>Forget the token</button></p>\
             <noscript><p>Without scripts, send the token as <code>Authorization: Bearer TOKEN</code>.</p></noscript>\
             <script>{SCRIPT}</script></body></html>\n"
        ),
    );
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    for (name, value) in refusal.headers() {
        answer.headers_mut().entry(name).or_insert_with(|| value.clone()); // WWW-Authenticate
    }
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_ask_for_html_and_scripts_for_anything() {
        let asks = |accept: &'static str| {
            is_person(&Method::GET, &HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert!(asks("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(!asks("*/*") && !asks("application/json"));
        assert!(!is_person(&Method::GET, &HeaderMap::new()));
    }

    #[test]
    fn the_script_stands_in_the_page_as_it_is() {
        assert!(!SCRIPT.contains("</script") && !SCRIPT.contains("<!--"));
    }
}
