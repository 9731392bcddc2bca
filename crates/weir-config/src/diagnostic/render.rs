//! Diagnostics as a person reads them in a terminal, in the manner of rustc.
//!
//! The file is somebody else's text: control characters in it are shown as `�`, never sent to the terminal,
//! and of a long line only the part around the offending text is shown.

use std::fmt::Write as _;

use super::{Diagnostic, Diagnostics, Severity};
use crate::tree::Lines;

/// The most characters of a line that are shown.
const LINE_CHARS_MAX: usize = 120;
/// How many characters are shown before the offending text when the line is too long.
const LEAD_CHARS: usize = 40;

/// Whether to use the terminal's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Text only: for a file, a pipe, a test.
    Never,
    /// With ANSI escape sequences: for a terminal.
    Always,
}

pub(super) fn render(diagnostics: &Diagnostics, file: &str, source: &str, color: Color) -> String {
    let style = Style::new(color);
    let lines = Lines::new(source);
    let mut out = String::new();
    for diagnostic in diagnostics {
        one(&mut out, diagnostic, file, &lines, style);
    }
    if diagnostics.omitted() > 0 {
        line(&mut out, format_args!("and {} more", diagnostics.omitted()));
    }
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    match (errors, warnings) {
        (0, 0) => {}
        (0, n) => line(&mut out, format_args!("{n} warning{}", plural(n))),
        (n, 0) => line(&mut out, format_args!("{n} error{}", plural(n))),
        (e, w) => line(&mut out, format_args!("{e} error{}, {w} warning{}", plural(e), plural(w))),
    }
    out
}

fn one(out: &mut String, diagnostic: &Diagnostic, file: &str, lines: &Lines<'_>, style: Style) {
    let Diagnostic { severity, message, line: number, column, span, hint, path } = diagnostic;
    let (word, mark) = match severity {
        Severity::Error => ("error", style.red),
        Severity::Warning => ("warning", style.yellow),
    };
    let Style { bold, blue, reset, .. } = style;
    let width = number.to_string().len();
    let gap = " ".repeat(width);
    let place = if path.is_empty() { String::new() } else { format!(" ({})", clean(path)) };
    line(out, format_args!("{mark}{word}{reset}{bold}: {}{reset}", clean(message)));
    line(out, format_args!("{gap}{blue}-->{reset} {file}:{number}:{column}{place}"));
    let excerpt = Excerpt::new(lines, *number, *column, span.end.saturating_sub(span.start));
    line(out, format_args!("{gap} {blue}|{reset}"));
    line(out, format_args!("{blue}{number} |{reset} {}", excerpt.text));
    let (before, carets) = (" ".repeat(excerpt.before), "^".repeat(excerpt.marked));
    line(out, format_args!("{gap} {blue}|{reset} {before}{mark}{carets}{reset}"));
    if let Some(hint) = hint {
        line(out, format_args!("{gap} {blue}={reset} {bold}hint{reset}: {}", clean(hint)));
    }
    out.push('\n');
}

/// The part of a line that is shown, and which of its characters are underlined.
struct Excerpt {
    text: String,
    before: usize,
    marked: usize,
}

impl Excerpt {
    fn new(lines: &Lines<'_>, number: usize, column: usize, span_bytes: usize) -> Self {
        let line = lines.line(number);
        let skipped = column.saturating_sub(1);
        let offset = line.char_indices().nth(skipped).map_or(line.len(), |(at, _)| at);
        let end = line.floor_char_boundary(offset.saturating_add(span_bytes));
        let marked = line[offset..end].trim_end().chars().count().max(1);
        let too_long = line.chars().nth(LINE_CHARS_MAX).is_some();
        let cut = if too_long { skipped.saturating_sub(LEAD_CHARS) } else { 0 };
        let mut text = clean(&line.chars().skip(cut).take(LINE_CHARS_MAX).collect::<String>());
        let mut before = skipped - cut;
        if cut > 0 {
            text.insert_str(0, "...");
            before += 3;
        }
        let shown = text.chars().count();
        if line.chars().count() > cut + LINE_CHARS_MAX {
            text.push_str("...");
        }
        Self { text: text.trim_end().into(), before, marked: marked.min(shown.saturating_sub(before).max(1)) }
    }
}

/// `text` with nothing in it that a terminal would obey; each character stays one character.
fn clean(text: &str) -> String {
    let safe = |c: char| match c {
        '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes every write");
}

/// The escape sequences in use; all empty without colours.
#[derive(Clone, Copy)]
struct Style {
    red: &'static str,
    yellow: &'static str,
    blue: &'static str,
    bold: &'static str,
    reset: &'static str,
}

impl Style {
    fn new(color: Color) -> Self {
        match color {
            Color::Never => Self { red: "", yellow: "", blue: "", bold: "", reset: "" },
            Color::Always => Self {
                red: "\x1b[1;31m",
                yellow: "\x1b[1;33m",
                blue: "\x1b[1;34m",
                bold: "\x1b[1m",
                reset: "\x1b[0m",
            },
        }
    }
}
