//! The reference page of the configuration file, made from the tables of fields that read it.

use std::fmt::Write as _;

use crate::codec::{Codec as _, FieldShape, Form, Rule, SectionShape, Shape};
use crate::raw;

/// Every key of the configuration file with its type, range, default and meaning, as Markdown.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# The configuration file: reference\n\n\
         Made by `weir` from the definitions that read the file; do not edit.\n",
    );
    if let Shape::Section(top) = raw::FILE.shape() {
        section(&mut out, "", &top);
    }
    out
}

fn section(out: &mut String, path: &str, of: &SectionShape) {
    let title = if path.is_empty() { "Top level".into() } else { format!("`{path}`") };
    line(out, format_args!("\n## {title}\n"));
    line(out, format_args!("| key | type | default | meaning |"));
    line(out, format_args!("|---|---|---|---|"));
    for FieldShape { name, doc, required, shape, default, default_note } in &of.fields {
        let default = match (shape, default, *default_note) {
            _ if *required => "required".into(),
            (_, Form::Absent, "") => "none".into(),
            (_, Form::Absent, note) => note.into(),
            (Shape::Section(_), ..) => "see below".into(),
            (_, form, _) => format!("`{}`", value(form)),
        };
        let cells = [format!("`{name}`"), kind(shape), default, (*doc).into()];
        line(out, format_args!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
    for rule in of.rules {
        let (words, keys) = match rule {
            Rule::OneOf(keys) => ("Exactly one", keys),
            Rule::OneOrNone(keys) => ("At most one", keys),
            Rule::AnyOf(keys) => ("At least one", keys),
        };
        let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
        line(out, format_args!("\n{words} of {}.", keys.join(", ")));
    }
    for field in &of.fields {
        let path = if path.is_empty() { field.name.into() } else { format!("{path}.{}", field.name) };
        below(out, &path, &field.shape);
    }
}

/// The sections in a value, each under its path.
fn below(out: &mut String, path: &str, shape: &Shape) {
    match shape {
        Shape::Section(of) if of.fields.is_empty() => {}
        Shape::Section(of) => section(out, path, of),
        Shape::List { of, .. } => below(out, &format!("{path}[]"), of),
        Shape::Named { key, of } => below(out, &format!("{path}.{key}"), of),
        Shape::Either(shapes) => {
            for shape in shapes {
                below(out, path, shape);
            }
        }
        Shape::Bool | Shape::Integer { .. } | Shape::Choice(_) | Shape::Text { .. } | Shape::Word(_) => {}
    }
}

/// A type in a few words.
fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "`true` or `false`".into(),
        Shape::Integer { min, max } => format!("{min} to {max}"),
        Shape::Choice(numbers) => numbers.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "),
        Shape::Text { what, .. } => what.clone(),
        Shape::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        // Sizes, percentages and statuses: the number is the same thing without its unit.
        Shape::Either(shapes) if matches!(shapes[..], [Shape::Text { .. }, Shape::Integer { .. }]) => {
            kind(&shapes[0])
        }
        Shape::Either(shapes) => shapes.iter().map(kind).collect::<Vec<_>>().join(", or "),
        Shape::List { of, .. } => format!("a list of: {}", kind(of)),
        Shape::Named { key, of } => format!("a mapping from {key} to {}", kind(of)),
        Shape::Section(_) => "a mapping".into(),
    }
}

fn value(form: &Form) -> String {
    match form {
        Form::Absent => "none".into(),
        Form::Bool(value) => value.to_string(),
        Form::Number(value) => value.to_string(),
        Form::Text(text) if text.is_empty() => "\"\"".into(),
        Form::Text(text) => text.clone(),
        Form::List(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Form::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, form)| format!("{key}: {}", value(form))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes every write");
}
