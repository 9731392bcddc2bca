//! Tests of named values: the `header` and `query` of a match.
//!
//! A test is the text that a value must be, or `{regex: ...}`, or `{present: true}`.

use std::collections::HashMap;
use std::hash::Hash;

use super::{
    Bool, Codec, Context, Field, Form, Nested, Optional, Problem, REGEX, Rule, Section, Shape, TEXT,
};
use super::{field, nested};
use crate::model::{FieldMatch, FieldTest, Pattern};
use crate::tree::{NodeId, ScalarType};

/// A mapping from the names of fields or parameters to their tests.
pub(crate) struct FieldTests<N> {
    /// What the keys are, for the schema.
    pub(crate) key: &'static str,
    pub(crate) parse: fn(&str) -> Result<N, Problem>,
    pub(crate) print: fn(&N) -> &str,
}

impl<N: Clone + Eq + Hash + 'static> Codec for FieldTests<N> {
    type Value = Vec<FieldMatch<N>>;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Self::Value> {
        let Some(entries) = cx.map(node) else {
            return cx.wrong_type(node, "a mapping of names to what their values must be");
        };
        let mut seen: HashMap<N, NodeId> = HashMap::new();
        let mut tests = Vec::with_capacity(entries.len());
        for &(key, value) in entries {
            let test = OneTest.decode(value, cx);
            let name = match (self.parse)(cx.tree.scalar(key)) {
                Ok(name) => name,
                Err(problem) => {
                    cx.problem(key, problem);
                    continue;
                }
            };
            if let Some(&first) = seen.get(&name) {
                cx.duplicate_key(key, first);
                continue;
            }
            seen.insert(name.clone(), key);
            tests.extend(test.map(|test| FieldMatch { name, test }));
        }
        Some(tests)
    }

    fn encode(&self, value: &Self::Value) -> Form {
        let entry = |m: &FieldMatch<N>| ((self.print)(&m.name).to_owned(), OneTest.encode(&m.test));
        Form::Map(value.iter().map(entry).collect())
    }

    fn shape(&self) -> Shape {
        Shape::Named { key: self.key, of: Box::new(OneTest.shape()) }
    }
}

/// One test.
struct OneTest;

/// The long form of a test.
#[derive(Default)]
struct LongTest {
    regex: Option<Pattern>,
    present: Option<bool>,
}

impl Section for LongTest {
    const WHAT: &'static str = "test";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("regex", regex, Optional(REGEX), "An expression that is found in the value."),
        field!("present", present, Optional(Bool), "Whether the name must be there at all."),
    ];
    const RULES: &'static [Rule] = &[Rule::OneOf(&["regex", "present"])];
}

const LONG: Nested<LongTest> = nested();

impl Codec for OneTest {
    type Value = FieldTest;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<FieldTest> {
        if cx.map(node).is_some() {
            let LongTest { regex, present } = LONG.decode(node, cx)?;
            return regex.map(FieldTest::Regex).or(present.map(FieldTest::Present));
        }
        match cx.scalar(node) {
            Some(scalar) if scalar.kind != ScalarType::Null => TEXT.decode(node, cx).map(FieldTest::Exact),
            Some(_) | None => cx.wrong_type(node, "a text, `{regex: ...}` or `{present: true}`"),
        }
    }

    fn encode(&self, value: &FieldTest) -> Form {
        let (regex, present) = match value {
            FieldTest::Exact(text) => return TEXT.encode(text),
            FieldTest::Regex(pattern) => (Some(pattern.clone()), None),
            FieldTest::Present(present) => (None, Some(*present)),
        };
        LONG.encode(&LongTest { regex, present })
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![TEXT.shape(), LONG.shape()])
    }
}
