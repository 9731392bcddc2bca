//! Values made of other values: optional ones, lists, and mappings with names of the user's choice.

use std::collections::HashMap;

use super::{Codec, Context, Form, Shape, parse_name};
use crate::tree::{At, NodeId};

/// A value that has no default; without its key there is `None`.
pub struct Optional<C>(pub C);

impl<C: Codec> Codec for Optional<C> {
    type Value = Option<C::Value>;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Self::Value> {
        self.0.decode(node, cx).map(Some)
    }

    fn encode(&self, value: &Self::Value) -> Form {
        value.as_ref().map_or(Form::Absent, |value| self.0.encode(value))
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// A value that is remembered together with its place.
pub struct Placed<C>(pub C);

impl<C: Codec> Codec for Placed<C> {
    type Value = At<C::Value>;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Self::Value> {
        self.0.decode(node, cx).map(|value| At { value, node })
    }

    fn encode(&self, value: &Self::Value) -> Form {
        self.0.encode(&value.value)
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// A list.
pub struct List<C> {
    /// What an item is.
    pub of: C,
    /// The fewest items.
    pub min: usize,
}

impl<C: Codec> Codec for List<C> {
    type Value = Vec<C::Value>;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Self::Value> {
        let Some(items) = cx.list(node) else { return cx.wrong_type(node, "a list") };
        if items.len() < self.min {
            cx.error(cx.tree.naming_key(node), "the list is empty");
        }
        // An item that cannot be read is left out: the file is refused, and the others are still judged.
        Some(items.iter().filter_map(|&item| self.of.decode(item, cx)).collect())
    }

    fn encode(&self, value: &Self::Value) -> Form {
        Form::List(value.iter().map(|item| self.of.encode(item)).collect())
    }

    fn shape(&self) -> Shape {
        Shape::List { of: Box::new(self.of.shape()), min: self.min }
    }
}

/// One value, or a list of at least one.
pub struct OneOrMany<C>(pub C);

impl<C: Codec> Codec for OneOrMany<C> {
    type Value = Vec<C::Value>;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Self::Value> {
        let Some(items) = cx.list(node) else { return self.0.decode(node, cx).map(|one| vec![one]) };
        if items.is_empty() {
            cx.error(cx.tree.naming_key(node), "the list is empty");
        }
        Some(items.iter().filter_map(|&item| self.0.decode(item, cx)).collect())
    }

    fn encode(&self, value: &Self::Value) -> Form {
        match value.as_slice() {
            [] => Form::Absent,
            [one] => self.0.encode(one),
            several => Form::List(several.iter().map(|item| self.0.encode(item)).collect()),
        }
    }

    fn shape(&self) -> Shape {
        let one = self.0.shape();
        Shape::Either(vec![one.clone(), Shape::List { of: Box::new(one), min: 1 }])
    }
}

/// A mapping from names of the user's choice, in the order of the file.
pub struct Named<C>(pub C);

/// One value of a [`Named`] mapping.
#[derive(Debug, Clone, Default)]
pub struct Entry<V> {
    /// Its name, at its key's place.
    pub name: At<String>,
    /// What stands under it.
    pub value: V,
}

impl<C: Codec> Codec for Named<C>
where
    C::Value: Default,
{
    type Value = Vec<Entry<C::Value>>;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Self::Value> {
        let Some(entries) = cx.map(node) else { return cx.wrong_type(node, "a mapping") };
        let tree = cx.tree;
        let mut seen: HashMap<&str, NodeId> = HashMap::with_capacity(entries.len());
        let mut named = Vec::with_capacity(entries.len());
        for &(key, value) in entries {
            let name = parse_name(tree.scalar(key)).map_err(|problem| cx.problem(key, problem)).ok();
            // A value that cannot be read leaves its name behind, or all that refer to it were wrong too.
            let value = self.0.decode(value, cx).unwrap_or_default();
            if let Some(&first) = seen.get(tree.scalar(key)) {
                cx.duplicate_key(key, first);
                continue;
            }
            seen.insert(tree.scalar(key), key);
            named.extend(name.map(|name| Entry { name: At { value: name, node: key }, value }));
        }
        Some(named)
    }

    fn encode(&self, value: &Self::Value) -> Form {
        let entry = |entry: &Entry<C::Value>| (entry.name.value.clone(), self.0.encode(&entry.value));
        Form::Map(value.iter().map(entry).collect())
    }

    fn shape(&self) -> Shape {
        Shape::Named { key: "NAME", of: Box::new(self.0.shape()) }
    }
}
