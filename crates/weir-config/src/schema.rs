//! The JSON Schema (draft 2020-12) of the configuration file, made from the tables of fields that read it.
//!
//! It says what an editor can check: keys, types, bounds, defaults. What depends on several values, such
//! as whether a pool exists, only [`parse`](crate::parse) knows.

use serde_json::{Map, Value, json};

use crate::codec::{Codec as _, FieldShape, Form, Rule, SectionShape, Shape};
use crate::raw;

/// The JSON Schema of the configuration file.
pub fn json_schema() -> Value {
    let mut schema = shape(&raw::FILE.shape());
    if let Value::Object(top) = &mut schema {
        top.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        top.insert("title".into(), json!("Weir's configuration file"));
    }
    schema
}

fn shape(of: &Shape) -> Value {
    match of {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Choice(numbers) => json!({ "enum": numbers }),
        Shape::Text { what, pattern: Some(pattern) } => {
            json!({ "type": "string", "title": what, "pattern": pattern })
        }
        Shape::Text { what, pattern: None } => json!({ "type": "string", "title": what }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(shape).collect::<Vec<_>>() }),
        Shape::List { of, min: 0 } => json!({ "type": "array", "items": shape(of) }),
        Shape::List { of, min } => json!({ "type": "array", "items": shape(of), "minItems": min }),
        Shape::Named { key: _, of } => json!({ "type": "object", "additionalProperties": shape(of) }),
        Shape::Section(of) => section(of),
    }
}

fn section(SectionShape { fields, rules }: &SectionShape) -> Value {
    let properties: Map<_, _> = fields.iter().map(|of| (of.name.into(), field(of))).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    for rule in *rules {
        let with = |keys: &[&str]| json!({ "required": keys });
        match rule {
            Rule::OneOf(keys) => {
                schema["oneOf"] = keys.iter().map(|key| with(&[key])).collect();
            }
            Rule::AnyOf(keys) => {
                schema["anyOf"] = keys.iter().map(|key| with(&[key])).collect();
            }
            Rule::OneOrNone(keys) => {
                let pairs =
                    keys.iter().enumerate().flat_map(|(i, a)| keys[..i].iter().map(move |b| [*b, *a]));
                schema["not"] = json!({ "anyOf": pairs.map(|pair| with(&pair)).collect::<Vec<_>>() });
            }
        }
    }
    schema
}

fn field(of: &FieldShape) -> Value {
    let mut schema = shape(&of.shape);
    let doc = match of.default_note {
        "" => of.doc.to_owned(),
        note => format!("{} Default: {note}.", of.doc),
    };
    schema["description"] = json!(doc);
    if let Some(default) = default(&of.shape, &of.default) {
        schema["default"] = default;
    }
    schema
}

/// The default of a field, unless it has none or its parts have their own.
fn default(shape: &Shape, form: &Form) -> Option<Value> {
    match (shape, form) {
        (Shape::Section(_), Form::Map(_)) | (_, Form::Absent) => None,
        (_, form) => Some(json(form)),
    }
}

fn json(form: &Form) -> Value {
    match form {
        Form::Absent => Value::Null,
        Form::Bool(value) => json!(value),
        Form::Number(value) => json!(value),
        Form::Text(value) => json!(value),
        Form::List(items) => items.iter().map(json).collect(),
        Form::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}
