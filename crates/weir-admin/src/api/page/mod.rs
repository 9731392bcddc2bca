//! `/`: what people see first. One page, made here, without scripts; it shows, and changes nothing.
//!
//! Where a token is needed, `login` shows this page to whoever has given it.

mod machine;
mod traffic;

use std::fmt::{self, Display, Write};

use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;

use super::problem::Problem;
use super::{Answer, system, text};
use crate::operator::Operator;
use crate::system::System;
use crate::view::phase_word;

/// How everything that people see looks.
pub(super) const STYLE: &str = include_str!("page.css");

pub(super) async fn get(operator: &Operator) -> Result<Answer, Problem> {
    let machine = system::read(operator).await?;
    let mut answer = text("text/html; charset=utf-8", render(operator, &machine));
    let policy = HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(answer)
}

fn render(operator: &Operator, machine: &System) -> String {
    let snapshot = operator.proxy().snapshot();
    let mut page = Page(String::with_capacity(32 << 10));
    let phase = phase_word(operator.proxy().phase());
    let name = machine.hostname.as_deref().unwrap_or_default();
    page.put(format_args!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name} · Weir</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"10\">\
         <style>{STYLE}</style></head><body>\
         <header><h1>Weir <small>{}</small></h1><p class=\"where\">{name}</p>\
         <p class=\"phase {phase}\">{phase}</p></header>\
         <nav><a href=\"/\">overview</a><a href=\"/api/v1/stats\">stats</a><a href=\"/metrics\">metrics</a>\
         <a href=\"/api/v1/system\">system</a><a href=\"/api/v1/config\">configuration</a>\
         <a href=\"/openapi.json\">API</a></nav><main>",
        machine.version,
        name = Escaped(name),
    ));
    if let Some(error) = &operator.reloads().error {
        page.put(format_args!(
            "<p class=\"notice bad\">The last reload was refused; what served before still does. {}</p>",
            Escaped(error)
        ));
    }
    machine::notices(&mut page, machine);
    traffic::sections(&mut page, operator, &snapshot);
    machine::sections(&mut page, machine, snapshot.generation);
    page.0 + "</main></body></html>\n"
}

/// A page on its way.
struct Page(String);

impl Page {
    fn put(&mut self, what: fmt::Arguments<'_>) {
        self.0.write_fmt(what).expect("a String takes every write");
    }
}

/// Text as it may stand in HTML, in an attribute, too.
pub(super) struct Escaped<'a>(pub(super) &'a str);

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
