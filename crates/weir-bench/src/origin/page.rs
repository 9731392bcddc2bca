//! The page that shows who answered and what arrived. Whatever the client sent is escaped.

use std::fmt::Write;
use std::net::SocketAddr;

use http::Request;

/// The fields with which a proxy tells who the client was, and a few that make the page worth reading.
const SHOWN: [&str; 8] = [
    "host",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
    "user-agent",
];

/// The page as plain text.
pub(super) fn text<B>(name: &str, client: SocketAddr, request: &Request<B>) -> String {
    let mut page = format!("Hello from {name}.\n\n");
    for (label, value) in lines(client, request) {
        // A String takes whatever is written to it.
        let _ = writeln!(page, "{label}: {value}");
    }
    page
}

/// The page as HTML.
pub(super) fn html<B>(name: &str, client: SocketAddr, request: &Request<B>) -> String {
    let name = escape(name);
    let mut rows = String::new();
    for (label, value) in lines(client, request) {
        let _ = writeln!(rows, "<tr><th>{}<td>{}", escape(&label), escape(&value));
    }
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><title>{name}</title>\n\
         <meta name=viewport content='width=device-width'>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}}\
         th{{text-align:left;padding-right:1em;vertical-align:top;white-space:nowrap}}\
         td{{font-family:monospace;overflow-wrap:anywhere}}</style>\n\
         <h1>Hello from {name}</h1>\n\
         <p>This is one of Weir's built-in origin servers. Reload to see who answers next.</p>\n\
         <table>\n{rows}</table>\n"
    )
}

/// What arrived: the request line, whose connection it came on, and the fields worth showing.
fn lines<B>(client: SocketAddr, request: &Request<B>) -> Vec<(String, String)> {
    let request_line = format!("{} {} {:?}", request.method(), request.uri(), request.version());
    let mut lines = vec![("request".into(), request_line), ("connection from".into(), client.to_string())];
    for name in SHOWN {
        for value in request.headers().get_all(name) {
            lines.push((name.into(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
    }
    lines
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
