//! What a machine says of itself at `GET /api/v1/system`.

use serde_json::Value;

/// The answer.
#[derive(Debug, Clone)]
pub struct System(pub Value);

impl System {
    /// A value by its place, such as `/appliance/slot`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn at(&self, place: &str) -> &Value {
        self.0.pointer(place).unwrap_or_else(|| panic!("no {place} in {:#}", self.0))
    }

    /// A text by its place.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn text(&self, place: &str) -> &str {
        self.at(place).as_str().unwrap_or_else(|| panic!("{place} is no text in {:#}", self.0))
    }

    /// A number by its place.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn number(&self, place: &str) -> u64 {
        self.at(place).as_u64().unwrap_or_else(|| panic!("{place} is no number in {:#}", self.0))
    }

    /// Whether something anywhere in the answer is this text.
    pub fn mentions(&self, text: &str) -> bool {
        fn within(value: &Value, text: &str) -> bool {
            match value {
                Value::String(string) => string == text,
                Value::Array(list) => list.iter().any(|value| within(value, text)),
                Value::Object(map) => map.values().any(|value| within(value, text)),
                Value::Null | Value::Bool(_) | Value::Number(_) => false,
            }
        }
        within(&self.0, text)
    }
}
