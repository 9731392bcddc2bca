//! The YAML file as a tree in which every node, keys included, knows where it stands.
//!
//! Nodes live in one arena and name each other by index, so an alias costs nothing, dropping a deep tree
//! does not recurse, and a mistake found long after reading can still be traced to its place. Duplicate
//! keys are kept: it is the decoder that reports them. This module knows YAML, not configurations.

mod build;
mod lines;

pub(crate) use build::SyntaxError;
pub(crate) use lines::Lines;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

/// A node of a [`Tree`], as an index. [`NodeId::NONE`] stands for a value that no text was read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(u32);

impl NodeId {
    /// No node: the value is a default.
    pub const NONE: Self = Self(u32::MAX);
}

impl Default for NodeId {
    fn default() -> Self {
        Self::NONE
    }
}

/// A value and the node that it was read from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At<T> {
    /// What was read.
    pub value: T,
    /// Where.
    pub node: NodeId,
}

/// One scalar, list or mapping.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) kind: Kind<'t>,
    /// Bytes of the text; for a list or a mapping, up to the end of its last child at least.
    start: u32,
    end: u32,
    parent: NodeId,
    /// Which child of its parent it is; a key and its value have the same.
    index: u32,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Kind<'t> {
    /// Text, and whether it was written without quotes.
    Scalar {
        text: Cow<'t, str>,
        plain: bool,
    },
    List(Vec<NodeId>),
    /// Keys and values in the order of the file; a key may occur more than once.
    Map(Vec<(NodeId, NodeId)>),
}

/// A scalar's type by the core schema of YAML 1.2 (section 10.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarType {
    Null,
    Bool(bool),
    Integer,
    Float,
    Text,
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    nodes: Vec<Node<'t>>,
    root: NodeId,
    lines: Lines<'t>,
}

impl<'t> Tree<'t> {
    /// Reads one YAML document.
    ///
    /// # Errors
    /// The first place where `text` is not YAML, or is more of it than a configuration may be.
    pub(crate) fn parse(text: &'t str) -> Result<Self, SyntaxError> {
        build::build(text)
    }

    fn new(text: &'t str, nodes: Vec<Node<'t>>, root: NodeId) -> Self {
        Self { nodes, root, lines: Lines::new(text) }
    }

    /// The document's top node; `None` when it is empty.
    pub(crate) fn root(&self) -> Option<NodeId> {
        (self.root != NodeId::NONE).then_some(self.root)
    }

    /// What `id` holds; `None` for [`NodeId::NONE`].
    pub(crate) fn kind(&self, id: NodeId) -> Option<&Kind<'t>> {
        self.node(id).map(|node| &node.kind)
    }

    /// The text of a scalar, as it means; empty for anything else.
    pub(crate) fn scalar(&self, id: NodeId) -> &str {
        match self.kind(id) {
            Some(Kind::Scalar { text, .. }) => text,
            Some(Kind::List(_) | Kind::Map(_)) | None => "",
        }
    }

    /// The entry of mapping `id` under `key`, the first if there are several.
    pub(crate) fn entry(&self, id: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        match self.kind(id)? {
            Kind::Map(entries) => entries.iter().copied().find(|&(k, _)| self.scalar(k) == key),
            Kind::Scalar { .. } | Kind::List(_) => None,
        }
    }

    /// The bytes of the text that `id` was read from; the beginning of the file for [`NodeId::NONE`].
    pub(crate) fn span(&self, id: NodeId) -> Range<usize> {
        self.node(id).map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// The key that names `id`, or `id` itself where it is an item of a list or the top.
    pub(crate) fn naming_key(&self, id: NodeId) -> NodeId {
        self.node(id)
            .and_then(|node| match &self.node(node.parent)?.kind {
                Kind::Map(entries) => entries.get(node.index as usize).map(|&(key, _)| key),
                Kind::Scalar { .. } | Kind::List(_) => None,
            })
            .unwrap_or(id)
    }

    /// Lines and columns of the text.
    pub(crate) fn lines(&self) -> &Lines<'t> {
        &self.lines
    }

    /// Where `id` stands, such as `pools.web.servers[1].weight`; empty for the top.
    pub(crate) fn path(&self, id: NodeId) -> String {
        let mut ways = Vec::new();
        let mut at = id;
        while let Some(node) = self.node(at) {
            ways.push((node.parent, node.index));
            at = node.parent;
        }
        let mut path = String::new();
        for (parent, index) in ways.into_iter().rev() {
            match self.kind(parent) {
                Some(Kind::Map(entries)) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(entries.get(index as usize).map_or("", |&(key, _)| self.scalar(key)));
                }
                Some(Kind::List(_)) => {
                    write!(path, "[{index}]").expect("a String takes every write");
                }
                Some(Kind::Scalar { .. }) | None => {}
            }
        }
        path
    }

    /// The number of the line, from 1, in which `id` begins.
    pub(crate) fn line(&self, id: NodeId) -> usize {
        self.lines.line_and_column(self.span(id).start).0
    }

    fn node(&self, id: NodeId) -> Option<&Node<'t>> {
        self.nodes.get(id.0 as usize)
    }
}

/// The type of a scalar that was written like this.
pub(crate) fn scalar_type(text: &str, plain: bool) -> ScalarType {
    if !plain {
        return ScalarType::Text;
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => ScalarType::Null,
        "true" | "True" | "TRUE" => ScalarType::Bool(true),
        "false" | "False" | "FALSE" => ScalarType::Bool(false),
        _ if is_integer(text) => ScalarType::Integer,
        _ if is_float(text) => ScalarType::Float,
        _ => ScalarType::Text,
    }
}

fn is_integer(text: &str) -> bool {
    let all = |digits: &str, is: fn(&u8) -> bool| !digits.is_empty() && digits.bytes().all(|b| is(&b));
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, u8::is_ascii_hexdigit);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return all(digits, |byte| (b'0'..=b'7').contains(byte));
    }
    all(text.strip_prefix(['-', '+']).unwrap_or(text), u8::is_ascii_digit)
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || matches!(text, ".nan" | ".NaN" | ".NAN")
        || (unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'))
            && unsigned.parse::<f64>().is_ok())
}
