//! Forms as YAML: block style, two spaces, and quotes wherever a plain text could be read as anything else.

use std::fmt::Write as _;

use crate::codec::Form;
use crate::tree::{ScalarType, scalar_type};

pub(super) fn print(form: &Form) -> String {
    let mut out = String::new();
    value(&mut out, form, 0);
    out
}

/// Prints `form` at the end of a line that has its key or its dash already, and ends the line.
fn value(out: &mut String, form: &Form, indent: usize) {
    match form {
        Form::Map(entries) if !entries.is_empty() => {
            for (index, (key, form)) in entries.iter().enumerate() {
                start(out, index, indent);
                text(out, key);
                out.push(':');
                match form {
                    Form::Map(entries) if !entries.is_empty() => {
                        out.push('\n');
                        value_below(out, form, indent + 2);
                    }
                    Form::List(items) if !items.is_empty() => {
                        out.push('\n');
                        value_below(out, form, indent + 2);
                    }
                    Form::Map(_)
                    | Form::List(_)
                    | Form::Absent
                    | Form::Bool(_)
                    | Form::Number(_)
                    | Form::Text(_) => {
                        out.push(' ');
                        value(out, form, indent);
                    }
                }
            }
        }
        Form::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                start(out, index, indent);
                out.push_str("- ");
                value(out, item, indent + 2);
            }
        }
        Form::Map(_) => out.push_str("{}\n"),
        Form::List(_) => out.push_str("[]\n"),
        Form::Absent => out.push_str("null\n"),
        Form::Bool(value) => writeln!(out, "{value}").expect("a String takes every write"),
        Form::Number(value) => writeln!(out, "{value}").expect("a String takes every write"),
        Form::Text(value) => {
            text(out, value);
            out.push('\n');
        }
    }
}

fn value_below(out: &mut String, form: &Form, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
    value(out, form, indent);
}

/// The first entry stands where its parent left off; the others begin a line.
fn start(out: &mut String, index: usize, indent: usize) {
    if index > 0 {
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

fn text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' | '\u{a1}'..='\u{167f}' => out.push(c),
            other => write!(out, "\\U{:08X}", u32::from(other)).expect("a String takes every write"),
        }
    }
    out.push('"');
}

/// Whether `text` without quotes is read as this very text.
fn is_plain(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+,=;()".contains(c);
    let first = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.');
    // YAML 1.1 readers, which other tools still are, take these for booleans, and those for numbers of base 60.
    let old_booleans = ["y", "n", "yes", "no", "on"];
    let old_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    scalar_type(text, true) == ScalarType::Text
        && text.starts_with(first)
        && text.chars().all(known)
        && !text.contains(": ")
        && !text.ends_with(':')
        && !text.starts_with("...")
        && !old_number
        && !old_booleans.contains(&text.to_ascii_lowercase().as_str())
}
