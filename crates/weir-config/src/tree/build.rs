//! Makes a [`Tree`] from the parser's events, with bounds on everything a file could make it do: bytes,
//! nodes, depth, and what aliases repeat (a few lines of nested aliases can stand for billions of nodes).
//!
//! Merge keys (`<<: *defaults`) are resolved here, so nothing else knows of them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::{Kind, Node, NodeId, Tree};

/// The largest file, in bytes.
const TEXT_BYTES_MAX: usize = 64 << 20;
/// The most scalars, lists and mappings in a file.
const NODES_MAX: usize = 4_000_000;
/// The most nodes that aliases stand for, all told.
const ALIASED_NODES_MAX: u64 = 1_000_000;
/// How deep lists and mappings may stand in each other; the deepest key of a configuration is at 7.
const DEPTH_MAX: usize = 64;

/// Why a text is not a YAML document that a configuration could be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Bytes of the text.
    pub(crate) span: Range<usize>,
}

/// Reads one YAML document.
pub(super) fn build(text: &str) -> Result<Tree<'_>, SyntaxError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes; the most is {TEXT_BYTES_MAX}", text.len());
        return Err(SyntaxError { message, hint: None, span: 0..0 });
    }
    let mut options = granit_parser::options! {
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::new(text);
    for event in Parser::<StrInput<'_>>::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax_error(text, &error))?;
        builder.take(event, span)?;
    }
    let root = builder.root.map_or(NodeId::NONE, |(root, _)| root);
    Ok(Tree::new(text, builder.nodes, root))
}

struct Builder<'t> {
    text: &'t str,
    nodes: Vec<Node<'t>>,
    root: Option<(NodeId, u64)>,
    /// The lists and mappings that are not complete yet, outermost first.
    open: Vec<Open>,
    /// Complete nodes with an anchor, and how many nodes each stands for.
    anchors: HashMap<usize, (NodeId, u64)>,
    aliased_nodes: u64,
}

struct Open {
    id: NodeId,
    anchor: usize,
    /// A key whose value comes next.
    key: Option<NodeId>,
    /// Nodes in here so far, with what aliases stand for.
    size: u64,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let (anchors, open) = (HashMap::new(), Vec::new());
        Self { text, nodes: Vec::new(), root: None, open, anchors, aliased_nodes: 0 }
    }

    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.tag_says_text(tag.as_deref(), span)?;
                let id = self.push(Kind::Scalar { text, plain }, span)?;
                self.complete(id, anchor, 1, span)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag_says_text(tag.as_deref(), span)?;
                self.open(Kind::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag_says_text(tag.as_deref(), span)?;
                self.open(Kind::Map(Vec::new()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.error(span, "the file holds a second YAML document", "remove the `---` before it"))
            }
            Event::DocumentStart(..)
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | Event::Comment(..)
            // The enum is not ours, and may grow kinds that have to be asked for.
            | _ => Ok(()),
        }
    }

    fn open(&mut self, kind: Kind<'t>, anchor: usize, span: Span) -> Result<(), SyntaxError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.error(span, "too many lists and mappings in each other", "the most is 64"));
        }
        let id = self.push(kind, span)?;
        self.open.push(Open { id, anchor, key: None, size: 1 });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let end = byte(self.text, span.end);
        let node = &mut self.nodes[open.id.0 as usize];
        let within = self.text.get(node.start as usize..end).unwrap_or("");
        node.end = node.start + small(within.trim_end().len());
        self.merge(open.id)?;
        self.complete(open.id, open.anchor, open.size, span)
    }

    /// A node is complete: it becomes a key or a child of what is open, or the document.
    fn complete(&mut self, id: NodeId, anchor: usize, size: u64, span: Span) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.anchors.insert(anchor, (id, size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some((id, size));
            return Ok(());
        };
        open.size += size;
        let parent = open.id;
        let key = match &self.nodes[parent.0 as usize].kind {
            Kind::Map(_) => open.key.take(),
            Kind::List(_) | Kind::Scalar { .. } => None,
        };
        let is_scalar = matches!(self.nodes[id.0 as usize].kind, Kind::Scalar { .. });
        let index = match &mut self.nodes[parent.0 as usize].kind {
            Kind::List(items) => {
                items.push(id);
                items.len() - 1
            }
            Kind::Map(entries) => match key {
                Some(key) => {
                    entries.push((key, id));
                    entries.len() - 1
                }
                None if is_scalar => {
                    open.key = Some(id);
                    entries.len()
                }
                None => return Err(self.error(span, "a key must be text", "")),
            },
            Kind::Scalar { .. } => 0,
        };
        let node = &mut self.nodes[id.0 as usize];
        if node.parent == NodeId::NONE {
            (node.parent, node.index) = (parent, small(index));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), SyntaxError> {
        let Some(&(id, size)) = self.anchors.get(&anchor) else {
            return Err(self.error(span, "an alias stands inside what it refers to", ""));
        };
        self.aliased_nodes = self.aliased_nodes.saturating_add(size);
        if self.aliased_nodes > ALIASED_NODES_MAX {
            return Err(self.error(span, "the aliases of this file repeat too much", "write it out"));
        }
        self.complete(id, 0, size, span)
    }

    /// Adds what `<<` names to a mapping: each of its keys that the mapping does not have itself.
    fn merge(&mut self, id: NodeId) -> Result<(), SyntaxError> {
        let Kind::Map(entries) = &self.nodes[id.0 as usize].kind else { return Ok(()) };
        let is_merge = |&(key, _): &(NodeId, NodeId)| matches!(&self.nodes[key.0 as usize].kind, Kind::Scalar { text, plain: true } if text == "<<");
        if !entries.iter().any(is_merge) {
            return Ok(());
        }
        let (merges, mut kept): (Vec<_>, Vec<_>) = entries.iter().copied().partition(is_merge);
        let key_text = |key: NodeId| match &self.nodes[key.0 as usize].kind {
            Kind::Scalar { text, .. } => text.as_ref(),
            Kind::List(_) | Kind::Map(_) => "",
        };
        let mut names: HashSet<&str> = kept.iter().map(|&(key, _)| key_text(key)).collect();
        for (merge_key, value) in merges {
            let sources = match &self.nodes[value.0 as usize].kind {
                Kind::List(items) => items.clone(),
                Kind::Map(_) | Kind::Scalar { .. } => vec![value],
            };
            for source in sources {
                let Kind::Map(entries) = &self.nodes[source.0 as usize].kind else {
                    let node = &self.nodes[merge_key.0 as usize];
                    return Err(SyntaxError {
                        message: "`<<` takes a mapping or a list of mappings".into(),
                        hint: Some("such as `<<: *defaults`".into()),
                        span: node.start as usize..node.end as usize,
                    });
                };
                kept.extend(entries.iter().copied().filter(|&(key, _)| names.insert(key_text(key))));
            }
        }
        self.reindex(id, kept);
        Ok(())
    }

    fn reindex(&mut self, id: NodeId, entries: Vec<(NodeId, NodeId)>) {
        for (index, &(key, value)) in entries.iter().enumerate() {
            for child in [key, value] {
                let node = &mut self.nodes[child.0 as usize];
                if node.parent == id {
                    node.index = small(index);
                }
            }
        }
        self.nodes[id.0 as usize].kind = Kind::Map(entries);
    }

    fn push(&mut self, kind: Kind<'t>, span: Span) -> Result<NodeId, SyntaxError> {
        if self.nodes.len() >= NODES_MAX {
            return Err(self.error(span, "the file has too many values", "the most is 4,000,000"));
        }
        let id = NodeId(small(self.nodes.len()));
        let (start, end) = (small(byte(self.text, span.start)), small(byte(self.text, span.end)));
        self.nodes.push(Node { kind, start, end: end.max(start), parent: NodeId::NONE, index: 0 });
        Ok(id)
    }

    /// Whether the tag makes a text of a scalar, as `!!str` does; every other one is refused.
    fn tag_says_text(&self, tag: Option<&Tag>, span: Span) -> Result<bool, SyntaxError> {
        match tag {
            None => Ok(false),
            Some(tag) if tag.is_yaml_core_schema_tag("str") || tag.original() == "!" => Ok(true),
            Some(_) => {
                let span = span.tag_span().unwrap_or(span);
                Err(self.error(span, "a YAML tag has no meaning here", "remove it"))
            }
        }
    }

    fn error(&self, span: Span, message: &str, hint: &str) -> SyntaxError {
        let start = byte(self.text, span.start);
        SyntaxError {
            message: message.into(),
            hint: (!hint.is_empty()).then(|| hint.into()),
            span: start..byte(self.text, span.end).max(start),
        }
    }
}

fn syntax_error(text: &str, error: &ScanError) -> SyntaxError {
    let at = byte(text, *error.marker());
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = text[line_start..].chars().take_while(|c| c.is_whitespace());
    let hint = indent.into_iter().any(|c| c == '\t').then(|| "YAML is indented with spaces, not tabs".into());
    SyntaxError { message: format!("this is not YAML: {}", error.info()), hint, span: at..at }
}

/// The marker as an index into `text`, on the boundary of a character.
fn byte(text: &str, marker: Marker) -> usize {
    text.floor_char_boundary(marker.byte_offset().unwrap_or(0))
}

/// Sizes and positions fit: a text has at most [`TEXT_BYTES_MAX`] bytes.
fn small(value: usize) -> u32 {
    u32::try_from(value).expect("bounded by the size of the text")
}
