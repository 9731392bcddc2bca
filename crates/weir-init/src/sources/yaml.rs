//! YAML and JSON of others (cloud-init's meta-data and network-config, OpenStack's), as a tree of texts. Lenient where a
//! Weir file is strict: it reads what it knows and leaves the rest. Bounded: depth, nodes, no aliases.

use granit_parser::{Event, Parser, StrInput};

use super::fault::Problem;

/// How deep lists and mappings may stand in each other.
const DEPTH_MAX: usize = 16;
/// The most nodes of a document.
const NODES_MAX: usize = 20_000;

/// A document, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Numbers, booleans and nothing as well, as they stand there.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads one document; nothing is an empty mapping.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let mut options = granit_parser::options! {
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        };
        options.set_emit_comments(false);
        let mut builder = Builder::default();
        for event in Parser::<StrInput<'_>>::new_from_str_with_options(text, options) {
            let (event, _) = event.map_err(|error| malformed(&format!("not YAML: {error}")))?;
            builder.take(event)?;
        }
        Ok(builder.root.unwrap_or(Self::Map(Vec::new())))
    }

    /// What stands at `key`; None where that is nothing, or this is no mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let (_, value) = entries.iter().rfind(|(name, _)| name == key)?;
        if value.text() == Some("") { None } else { Some(value) }
    }

    /// A scalar's text; that of nothing is empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) if matches!(text.as_str(), "~" | "null" | "Null" | "NULL") => Some(""),
            Self::Scalar(text) => Some(text),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The text at `key`.
    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// A truth value, as YAML 1.1 writes them; cloud-init's users do.
    pub(super) fn is_true_at(&self, key: &str) -> Option<bool> {
        match self.text_at(key)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    /// The items at `key`; a single one may stand for a list of it.
    pub(super) fn items_at(&self, key: &str) -> &[Self] {
        match self.get(key) {
            None => &[],
            Some(Self::List(items)) => items,
            Some(one @ (Self::Scalar(_) | Self::Map(_))) => std::slice::from_ref(one),
        }
    }

    /// The entries at `key`.
    pub(super) fn entries_at(&self, key: &str) -> &[(String, Self)] {
        match self.get(key) {
            Some(Self::Map(entries)) => entries,
            None | Some(Self::Scalar(_) | Self::List(_)) => &[],
        }
    }
}

fn malformed(text: &str) -> Problem {
    Problem::Malformed(text.to_owned())
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    /// What is not complete yet, outermost first; with a mapping, the key whose value comes next.
    open: Vec<(Node, Option<String>)>,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, ..) => self.complete(Node::Scalar(text.into_owned())),
            Event::SequenceStart(..) => self.begin(Node::List(Vec::new())),
            Event::MappingStart(..) => self.begin(Node::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((node, _)) => self.complete(node),
                None => Ok(()),
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(malformed("aliases (`*name`) are not understood here; write the value out")),
            Event::DocumentStart(..) if self.root.is_some() => Err(malformed("a second YAML document; keep the first alone")),
            Event::DocumentStart(..)
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::Comment(..)
            // The enum is not ours, and may grow kinds that have to be asked for.
            | _ => Ok(()),
        }
    }

    fn begin(&mut self, node: Node) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed("more than 16 lists and mappings in each other"));
        }
        self.open.push((node, None));
        Ok(())
    }

    fn complete(&mut self, node: Node) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(malformed("more than 20000 values"));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some((Node::List(items), _)) => items.push(node),
            Some((Node::Map(entries), key)) => match (key.take(), node) {
                (Some(key), node) => entries.push((key, node)),
                (None, Node::Scalar(text)) => *key = Some(text),
                (None, Node::List(_) | Node::Map(_)) => return Err(malformed("a key that is no text")),
            },
            // Only lists and mappings are opened.
            Some((Node::Scalar(_), _)) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yaml_and_json_are_read_alike() {
        let yaml = Node::parse("a: {b: [1, two]}\nc: ~\nd: yes\n").unwrap();
        let json = Node::parse(r#"{"a": {"b": [1, "two"]}, "c": null, "d": true}"#).unwrap();
        for node in [yaml, json] {
            let items: Vec<_> = node.get("a").unwrap().items_at("b").iter().map(Node::text).collect();
            assert_eq!(items, [Some("1"), Some("two")]);
            assert_eq!(node.get("c"), None);
            assert_eq!(node.is_true_at("d"), Some(true));
        }
        assert_eq!(Node::parse("\n# nothing\n").unwrap(), Node::Map(Vec::new()));
    }

    #[test]
    fn what_could_grow_is_refused() {
        assert!(Node::parse("a: &x [1]\nb: [*x, *x]\n").is_err());
        assert!(Node::parse(&"[".repeat(100)).is_err());
        assert!(Node::parse(&"- a\n".repeat(NODES_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-a1:{}\\[\\],&*\" \n#|>!%~]{0,80}") {
            let _ = Node::parse(&text);
        }
    }
}
