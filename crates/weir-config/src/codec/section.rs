//! Mappings with known keys, each of which is a table of fields.
//!
//! A row of the table is a [`Lens`]: a key, what it is for, a codec, and where in the struct its value
//! belongs. Unknown and duplicate keys, missing ones, and keys that exclude each other are found here, for
//! every section in the same way.

use std::marker::PhantomData;

use super::{Codec, Context, FieldShape, Form, Problem, SectionShape, Shape, shortened};
use crate::suggest::nearest;
use crate::tree::NodeId;

/// A mapping with known keys. Its `Default` is what an empty mapping means.
pub trait Section: Default + 'static {
    /// What it is, for messages: "this WHAT has no ...".
    const WHAT: &'static str;
    /// Its keys, in the order in which they are printed.
    const FIELDS: &'static [&'static dyn Field<Self>];
    /// Which keys go together.
    const RULES: &'static [Rule] = &[];
}

/// The most keys of a section.
const FIELDS_MAX: usize = 16;

/// Which keys of a section go together.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// One of these, and no other.
    OneOf(&'static [&'static str]),
    /// At most one of these.
    OneOrNone(&'static [&'static str]),
    /// At least one of these.
    AnyOf(&'static [&'static str]),
}

/// One row of a section's table.
pub trait Field<S>: Sync {
    /// Its key.
    fn name(&self) -> &'static str;
    /// Whether the key must be there.
    fn required(&self) -> bool;
    /// Reads the value into its place.
    fn decode(&self, into: &mut S, node: NodeId, cx: &mut Context<'_>);
    /// The form of the value.
    fn encode(&self, from: &S) -> Form;
    /// What the value may look like; `default` is the section's default.
    fn shape(&self, default: &S) -> FieldShape;
}

/// A field of struct `S`.
pub struct Lens<S, C: Codec> {
    /// The key.
    pub name: &'static str,
    /// One line for the reference and the schema.
    pub doc: &'static str,
    /// What its value may be.
    pub codec: C,
    /// Whether the key must be there.
    pub required: bool,
    /// The default in words, where it is no fixed value.
    pub default_note: &'static str,
    /// Where the value is.
    pub get: fn(&S) -> &C::Value,
    /// Where the value belongs.
    pub get_mut: fn(&mut S) -> &mut C::Value,
}

/// A row of a table: `field!("key", slot, codec, "doc")`, with `required` in front, or
/// `default "in words"` behind.
#[macro_export]
macro_rules! field {
    (required $name:literal, $slot:ident, $codec:expr, $doc:literal) => {
        $crate::field!(@ $name, $slot, $codec, $doc, true, "")
    };
    ($name:literal, $slot:ident, $codec:expr, $doc:literal) => {
        $crate::field!(@ $name, $slot, $codec, $doc, false, "")
    };
    ($name:literal, $slot:ident, $codec:expr, $doc:literal, default $note:literal) => {
        $crate::field!(@ $name, $slot, $codec, $doc, false, $note)
    };
    (@ $name:literal, $slot:ident, $codec:expr, $doc:literal, $required:literal, $note:literal) => {
        &$crate::codec::Lens {
            name: $name,
            doc: $doc,
            codec: $codec,
            required: $required,
            default_note: $note,
            get: |section: &Self| &section.$slot,
            get_mut: |section: &mut Self| &mut section.$slot,
        }
    };
}
pub use crate::field;

impl<S: 'static, C: Codec> Field<S> for Lens<S, C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn required(&self) -> bool {
        self.required
    }

    fn decode(&self, into: &mut S, node: NodeId, cx: &mut Context<'_>) {
        if let Some(value) = self.codec.decode(node, cx) {
            *(self.get_mut)(into) = value;
        }
    }

    fn encode(&self, from: &S) -> Form {
        self.codec.encode((self.get)(from))
    }

    fn shape(&self, default: &S) -> FieldShape {
        let default = if self.required { Form::Absent } else { self.encode(default) };
        let Self { name, doc, required, default_note, .. } = *self;
        FieldShape { name, doc, required, shape: self.codec.shape(), default, default_note }
    }
}

/// The codec of a section.
pub struct Nested<S>(PhantomData<fn() -> S>);

/// The codec of section `S`.
pub const fn nested<S: Section>() -> Nested<S> {
    Nested(PhantomData)
}

impl<S: Section> Codec for Nested<S> {
    type Value = S;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<S> {
        let Some(entries) = cx.map(node) else { return cx.wrong_type(node, "a mapping") };
        let tree = cx.tree;
        let mut section = S::default();
        let mut seen = [NodeId::NONE; FIELDS_MAX];
        const { assert!(S::FIELDS.len() <= FIELDS_MAX, "raise FIELDS_MAX") };
        for &(key, value) in entries {
            let name = tree.scalar(key);
            let found = S::FIELDS.iter().zip(&mut seen).find(|(field, _)| field.name() == name);
            let Some((field, first)) = found else {
                unknown_key::<S>(key, cx);
                continue;
            };
            if *first == NodeId::NONE {
                *first = key;
                field.decode(&mut section, value, cx);
            } else {
                cx.duplicate_key(key, *first);
                field.decode(&mut S::default(), value, cx);
            }
        }
        let here = tree.naming_key(node);
        for (field, seen) in S::FIELDS.iter().zip(&seen) {
            if field.required() && *seen == NodeId::NONE {
                cx.error(here, format!("this {} has no `{}`", S::WHAT, field.name()));
            }
        }
        for rule in S::RULES {
            check_rule::<S>(*rule, node, here, cx);
        }
        Some(section)
    }

    fn encode(&self, value: &S) -> Form {
        let default = S::default();
        let mut entries = Vec::new();
        for field in S::FIELDS {
            let form = field.encode(value);
            let needed = field.required() || form != field.encode(&default);
            if needed && form != Form::Absent {
                entries.push((field.name().into(), form));
            }
        }
        Form::Map(entries)
    }

    fn shape(&self) -> Shape {
        let default = S::default();
        let fields = S::FIELDS.iter().map(|field| field.shape(&default)).collect();
        Shape::Section(SectionShape { fields, rules: S::RULES })
    }
}

fn unknown_key<S: Section>(key: NodeId, cx: &mut Context<'_>) {
    let name = cx.tree.scalar(key);
    let problem = Problem::new(format!("unknown key `{}`", shortened(name)));
    let known = || S::FIELDS.iter().map(|field| field.name());
    let problem = match nearest(name, known()) {
        _ if cx.findings.is_crowded() => problem,
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => {
            let known: Vec<_> = known().map(|name| format!("`{name}`")).collect();
            problem.hint(format!("known here: {}", known.join(", ")))
        }
    };
    cx.problem(key, problem);
}

fn check_rule<S: Section>(rule: Rule, node: NodeId, here: NodeId, cx: &mut Context<'_>) {
    let (keys, min, max) = match rule {
        Rule::OneOf(keys) => (keys, 1, 1),
        Rule::OneOrNone(keys) => (keys, 0, 1),
        Rule::AnyOf(keys) => (keys, 1, keys.len()),
    };
    let present = || keys.iter().filter_map(|key| cx.tree.entry(node, key));
    if (min..=max).contains(&present().count()) {
        return;
    }
    let mut present: Vec<_> = present().collect();
    let all: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    let all = all.join(", ");
    if present.len() < min {
        let problem = Problem::new(format!("this {} has none of {all}", S::WHAT));
        cx.problem(
            here,
            problem.hint(if max == 1 { "give it one of them" } else { "give it at least one of them" }),
        );
    }
    if present.len() > max {
        present.sort_by_key(|&(key, _)| cx.tree.span(key).start);
        let (first, second) = (present[0].0, present[1].0);
        let (first, name) = (cx.tree.scalar(first), cx.tree.scalar(second));
        let problem = Problem::new(format!("`{name}` cannot stand beside `{first}`"));
        cx.problem(
            second,
            problem.hint(format!(
                "a {} has {} one of {all}",
                S::WHAT,
                if min == 1 { "exactly" } else { "at most" }
            )),
        );
    }
}
