//! What is wrong with a configuration file, and where: for people ([`Diagnostics::render`]), for the admin
//! API (`serde::Serialize`), for tests.
//!
//! A file of a million mistakes is reported in bounded memory: [`FOUND_MAX`] of a severity are kept while
//! the file is judged, the first [`SHOWN_MAX`] by position are shown, and the rest is counted.

mod render;

pub use render::Color;

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::tree::{Lines, NodeId, Tree};

/// The most diagnostics that are shown of one file.
pub const SHOWN_MAX: usize = 100;
/// The most diagnostics of one severity that are kept while a file is judged.
const FOUND_MAX: usize = 1000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is used as it is.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The offending text, as bytes of the file.
    pub span: Range<usize>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The place in the configuration, such as `pools.web.servers[1].weight`; empty for the whole file.
    pub path: String,
}

/// Everything that is wrong with one file, in the order of the file; at most [`SHOWN_MAX`] in full.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    diagnostics: Vec<Diagnostic>,
    /// How many errors there are, shown or not.
    errors: usize,
    /// How many warnings there are, shown or not.
    warnings: usize,
}

impl Diagnostics {
    /// The diagnostics that are shown, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.diagnostics.iter()
    }

    /// How many errors there are, shown or not.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings there are, shown or not.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// How many are counted but not shown.
    pub fn omitted(&self) -> usize {
        self.errors + self.warnings - self.diagnostics.len()
    }

    /// These and others of the same file.
    pub(crate) fn with(mut self, others: Self) -> Self {
        self.diagnostics.extend(others.diagnostics);
        self.diagnostics.sort_by_key(|found| (found.span.start, found.severity));
        self.diagnostics.truncate(SHOWN_MAX);
        Self { errors: self.errors + others.errors, warnings: self.warnings + others.warnings, ..self }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// For people: each diagnostic with its place, the line of `source` it is about, the offending text
    /// underlined, and a hint; then how many there are. `source` is the text that was parsed, and `file`
    /// what to call it.
    pub fn render(&self, file: &str, source: &str, color: Color) -> String {
        render::render(self, file, source, color)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line for each, without the source: for logs.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            let Diagnostic { message, line, column, hint, .. } = diagnostic;
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{line}:{column}: {message}")?;
            if let Some(hint) = hint {
                write!(f, " ({hint})")?;
            }
        }
        match self.omitted() {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// What has been found so far in a file that is being judged.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    errors_total: usize,
    warnings_total: usize,
}

#[derive(Debug)]
struct Finding {
    severity: Severity,
    message: String,
    hint: Option<String>,
    node: NodeId,
}

impl Findings {
    pub(crate) fn add(&mut self, severity: Severity, node: NodeId, message: String, hint: Option<String>) {
        let (found, total) = match severity {
            Severity::Error => (&mut self.errors, &mut self.errors_total),
            Severity::Warning => (&mut self.warnings, &mut self.warnings_total),
        };
        *total += 1;
        if found.len() < FOUND_MAX {
            found.push(Finding { severity, message, hint, node });
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors_total > 0
    }

    /// Whether there are so many errors that the hint of another one is not worth finding.
    pub(crate) fn is_crowded(&self) -> bool {
        self.errors_total >= SHOWN_MAX
    }

    /// Gives each finding its place in the file.
    pub(crate) fn locate(self, tree: &Tree<'_>) -> Diagnostics {
        let Self { mut errors, warnings, errors_total, warnings_total } = self;
        errors.extend(warnings);
        errors.sort_by_key(|finding| (tree.span(finding.node).start, finding.severity));
        errors.truncate(SHOWN_MAX);
        let diagnostics = errors
            .into_iter()
            .map(|Finding { severity, message, hint, node }| {
                let span = tree.span(node);
                let (line, column) = tree.lines().line_and_column(span.start);
                Diagnostic { severity, message, line, column, span, hint, path: tree.path(node) }
            })
            .collect();
        Diagnostics { diagnostics, errors: errors_total, warnings: warnings_total }
    }
}

/// One error about a text that could not be read as a tree.
pub(crate) fn syntax_error(text: &str, error: crate::tree::SyntaxError) -> Diagnostics {
    let crate::tree::SyntaxError { message, hint, span } = error;
    let (line, column) = Lines::new(text).line_and_column(span.start);
    let severity = Severity::Error;
    let diagnostics = vec![Diagnostic { severity, message, line, column, span, hint, path: String::new() }];
    Diagnostics { diagnostics, errors: 1, warnings: 0 }
}
