//! Conditions on parameters of a query.
//!
//! A query is read as `name=value` pairs between `&`s; a parameter without a `=` has an empty value. Names and
//! values are compared after their percent escapes are decoded (RFC 3986 section 2.1), or `%61dmin=1` would
//! walk around a route for `admin`. What is not an escape stays as it is: `%zz`, and also `+`, which means a
//! space only where the query is a form. Nothing is allocated, but for an expression and a value with a `%`.

use std::borrow::Cow;

use weir_config::model::{FieldMatch, FieldTest};

/// Whether the condition holds for this query.
pub(super) fn holds(parameter: &FieldMatch<String>, query: Option<&str>) -> bool {
    let mut values = values(query.unwrap_or_default(), &parameter.name);
    match &parameter.test {
        FieldTest::Present(present) => values.next().is_some() == *present,
        FieldTest::Exact(text) => values.any(|value| equals(value, text)),
        FieldTest::Regex(pattern) => values.any(|value| pattern.is_match(&decoded(value))),
    }
}

/// The values of the parameters of that name, as they were sent.
fn values<'a>(query: &'a str, name: &str) -> impl Iterator<Item = &'a [u8]> {
    query.split('&').filter(|pair| !pair.is_empty()).filter_map(move |pair| {
        let (sent_name, value) = pair.split_once('=').unwrap_or((pair, ""));
        equals(sent_name.as_bytes(), name).then_some(value.as_bytes())
    })
}

/// Whether `sent`, decoded, is `text`.
fn equals(sent: &[u8], text: &str) -> bool {
    // Decoding never makes longer, so a shorter one is told apart at once.
    sent.len() >= text.len() && (sent == text.as_bytes() || Decoded(sent).eq(text.bytes()))
}

fn decoded(sent: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', sent).is_some() { Decoded(sent).collect() } else { sent.into() }
}

/// The bytes of what was sent, its percent escapes decoded.
struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&first, after) = self.0.split_first()?;
        let escaped = match (first, after) {
            (b'%', [high, low, rest @ ..]) => hex(*high).zip(hex(*low)).map(|digits| (digits, rest)),
            (_, _) => None,
        };
        match escaped {
            Some(((high, low), rest)) => {
                self.0 = rest;
                Some(high << 4 | low)
            }
            None => {
                self.0 = after;
                Some(first)
            }
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::model::Pattern;

    #[test]
    fn parameters() {
        let exact = |text: &str| FieldTest::Exact(text.into());
        let regex = |text: &str| FieldTest::Regex(Pattern::new(text).unwrap());
        for (query, name, test, expected) in [
            (Some("a=1&b=2"), "b", exact("2"), true),
            (Some("a=1&b=2"), "b", exact("1"), false),
            (Some("a=1&a=2"), "a", exact("2"), true),
            (Some("a=1"), "A", exact("1"), false),
            (Some("a"), "a", exact(""), true),
            (Some("a"), "a", FieldTest::Present(true), true),
            (Some("&&"), "", FieldTest::Present(true), false),
            (Some("ab=1"), "a", FieldTest::Present(false), true),
            (None, "a", FieldTest::Present(true), false),
            (None, "a", FieldTest::Present(false), true),
            (Some("a=b%20c"), "a", exact("b c"), true),
            (Some("%61=1"), "a", exact("1"), true),
            (Some("a=%C3%a9"), "a", exact("é"), true),
            (Some("a=1%"), "a", exact("1%"), true),
            (Some("a=%zz1"), "a", exact("%zz1"), true),
            (Some("a=%+1"), "a", exact("%+1"), true),
            (Some("a=x=y"), "a", exact("x=y"), true),
            (Some("a=b+c"), "a", exact("b+c"), true),
            (Some("a=%31%32"), "a", regex("^12$"), true),
            (Some("a=%ff"), "a", regex(r"^(?-u:\xff)$"), true),
            (Some("a=13"), "a", regex("^12$"), false),
        ] {
            let parameter = FieldMatch { name: name.into(), test };
            assert_eq!(holds(&parameter, query), expected, "{query:?} {parameter:?}");
        }
    }
}
