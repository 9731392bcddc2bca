//! What a value in the file looks like: one definition reads it, prints it, and describes it.
//!
//! A [`Codec`] stands for one type of value. The tables of fields in `raw` are made of codecs, and the
//! decoder, the printer, the JSON Schema and the reference page are four ways to walk those tables, so
//! they cannot disagree. A codec reports every mistake it sees and goes on; it never stops at the first.

mod address;
mod collection;
mod field_test;
mod http;
mod machine;
mod quantity;
mod scalar;
mod section;

pub(crate) use address::{BIND, HOST_NAME, HOST_PATTERN, NET, RESOLVER, SERVER_ADDRESS, ServerText};
pub(crate) use collection::{Entry, List, Named, OneOrMany, Optional, Placed};
pub(crate) use field_test::FieldTests;
pub(crate) use http::{
    AUTHORITY, BODY, CONTENT_TYPE, FIELD_NAME, METHOD, PATH, REGEX, STATUSES, Status, TARGET, header_name,
};
pub(crate) use machine::{DEVICE, HOSTNAME, INTERFACE_ADDRESS, IP, MAC, TIME_SERVER};
pub(crate) use quantity::{AGE, Percent, SizeOf, TIME, TIME_OR_ZERO};
pub(crate) use scalar::{AutoOr, Bool, FILE, NAME, Number, Numbers, TEXT, Text, Words, parse_name};
pub(crate) use section::{Field, Lens, Nested, Rule, Section, field, nested};

use crate::diagnostic::{Findings, Severity};
use crate::tree::{Kind, NodeId, ScalarType, Tree, scalar_type};

/// Reads, prints and describes one type of value.
pub(crate) trait Codec: Sync {
    /// What the text means.
    type Value: 'static;

    /// Reads a value. `None`: there is none to be had, and why has been reported.
    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Self::Value>;

    /// The form that reads back as `value`.
    fn encode(&self, value: &Self::Value) -> Form;

    /// What the value may look like.
    fn shape(&self) -> Shape;
}

/// What a value is printed as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing: the key is left out.
    Absent,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Form>),
    Map(Vec<(String, Form)>),
}

/// What a value may look like, for the JSON Schema and the reference.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Bool,
    Integer {
        min: u64,
        max: u64,
    },
    /// One of these numbers.
    Choice(&'static [u16]),
    /// Text: what it is, in a few words, and a regular expression if one describes it.
    Text {
        what: String,
        pattern: Option<&'static str>,
    },
    /// One of these words.
    Word(Vec<&'static str>),
    Either(Vec<Shape>),
    List {
        of: Box<Shape>,
        min: usize,
    },
    /// A mapping whose keys the user chooses; `key` says what they are.
    Named {
        key: &'static str,
        of: Box<Shape>,
    },
    Section(SectionShape),
}

/// A mapping with known keys.
#[derive(Debug, Clone)]
pub(crate) struct SectionShape {
    pub(crate) fields: Vec<FieldShape>,
    pub(crate) rules: &'static [Rule],
}

/// One key of a section.
#[derive(Debug, Clone)]
pub(crate) struct FieldShape {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
    /// What stands for an absent key; [`Form::Absent`] when nothing does.
    pub(crate) default: Form,
    /// The default in words, where it is no fixed value.
    pub(crate) default_note: &'static str,
}

/// What is wrong with a text, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A file that is being judged: its tree, and what has been found so far.
#[derive(Debug)]
pub(crate) struct Context<'t> {
    pub(crate) tree: &'t Tree<'t>,
    pub(crate) findings: Findings,
}

impl<'t> Context<'t> {
    pub(crate) fn new(tree: &'t Tree<'t>) -> Self {
        Self { tree, findings: Findings::default() }
    }

    /// Reports an error without a hint.
    pub(crate) fn error(&mut self, node: NodeId, message: impl Into<String>) {
        self.findings.add(Severity::Error, node, message.into(), None);
    }

    /// Reports an error.
    pub(crate) fn problem(&mut self, node: NodeId, problem: Problem) {
        self.findings.add(Severity::Error, node, problem.message, problem.hint);
    }

    /// Reports something that is allowed and yet probably a mistake.
    pub(crate) fn warning(&mut self, node: NodeId, problem: Problem) {
        self.findings.add(Severity::Warning, node, problem.message, problem.hint);
    }

    /// Reports a value of the wrong type. `None`, for the caller to return.
    pub(crate) fn wrong_type<T>(&mut self, node: NodeId, expected: &str) -> Option<T> {
        let problem = Problem::new(format!("expected {expected}, found {}", self.found(node)));
        match self.scalar(node) {
            // Nothing cannot be pointed at, but its key can.
            Some(Scalar { kind: ScalarType::Null, .. }) => {
                let at = if self.tree.span(node).is_empty() { self.tree.naming_key(node) } else { node };
                self.problem(at, problem.hint("give it a value or remove it"));
            }
            Some(_) | None => self.problem(node, problem),
        }
        None
    }

    /// The scalar at `node`, with its type.
    pub(crate) fn scalar(&self, node: NodeId) -> Option<Scalar<'t>> {
        let tree = self.tree;
        match tree.kind(node)? {
            Kind::Scalar { text, plain } => Some(Scalar { text, kind: scalar_type(text, *plain) }),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The items of the list at `node`.
    pub(crate) fn list(&self, node: NodeId) -> Option<&'t [NodeId]> {
        let tree = self.tree;
        match tree.kind(node)? {
            Kind::List(items) => Some(items),
            Kind::Scalar { .. } | Kind::Map(_) => None,
        }
    }

    /// The entries of the mapping at `node`.
    pub(crate) fn map(&self, node: NodeId) -> Option<&'t [(NodeId, NodeId)]> {
        let tree = self.tree;
        match tree.kind(node)? {
            Kind::Map(entries) => Some(entries),
            Kind::Scalar { .. } | Kind::List(_) => None,
        }
    }

    /// The value of `key` in the mapping at `node`, else `node` itself: where to point at.
    pub(crate) fn child_or_self(&self, node: NodeId, key: &str) -> NodeId {
        self.tree.entry(node, key).map_or(node, |(_, value)| value)
    }

    /// Reports that a key stands there for the second time.
    pub(crate) fn duplicate_key(&mut self, key: NodeId, first: NodeId) {
        let problem = Problem::new(format!("duplicate key `{}`", self.tree.scalar(key)))
            .hint(format!("it stands already in line {}", self.tree.line(first)));
        self.problem(key, problem);
    }

    /// What is at `node`, in words.
    fn found(&self, node: NodeId) -> String {
        match self.tree.kind(node) {
            Some(Kind::List(_)) => "a list".into(),
            Some(Kind::Map(_)) => "a mapping".into(),
            Some(Kind::Scalar { text, plain }) => match scalar_type(text, *plain) {
                ScalarType::Null => "nothing".into(),
                ScalarType::Bool(_) | ScalarType::Integer | ScalarType::Float => {
                    format!("`{}`", shortened(text))
                }
                ScalarType::Text => format!("the text `{}`", shortened(text)),
            },
            None => "nothing".into(),
        }
    }
}

/// A scalar and its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar<'t> {
    pub(crate) text: &'t str,
    pub(crate) kind: ScalarType,
}

/// `text`, cut to what fits into a message.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}
