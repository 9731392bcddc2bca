//! Scalars: booleans, numbers, words and plain text.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::{Codec, Context, Form, Problem, Shape, shortened};
use crate::suggest::nearest;
use crate::tree::{NodeId, ScalarType};

/// `true` or `false`.
pub struct Bool;

impl Codec for Bool {
    type Value = bool;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<bool> {
        let Some(scalar) = cx.scalar(node) else { return cx.wrong_type(node, "`true` or `false`") };
        match scalar.kind {
            ScalarType::Bool(value) => Some(value),
            ScalarType::Text => {
                let problem = Problem::new(format!(
                    "expected `true` or `false`, found the text `{}`",
                    shortened(scalar.text)
                ));
                let meant = match scalar.text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => Some("true"),
                    "no" | "off" | "n" | "false" => Some("false"),
                    _ => None,
                };
                let problem = match meant {
                    Some(meant) => problem.hint(format!("write `{meant}`, without quotes")),
                    None => problem,
                };
                cx.problem(node, problem);
                None
            }
            ScalarType::Null | ScalarType::Integer | ScalarType::Float => {
                cx.wrong_type(node, "`true` or `false`")
            }
        }
    }

    fn encode(&self, value: &bool) -> Form {
        Form::Bool(*value)
    }

    fn shape(&self) -> Shape {
        Shape::Bool
    }
}

/// A whole number within bounds.
pub struct Number<T> {
    /// The least and the most.
    pub range: RangeInclusive<T>,
}

impl<T> Codec for Number<T>
where
    T: Copy + PartialOrd + TryFrom<u64> + TryInto<u64> + Sync + 'static,
{
    type Value = T;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<T> {
        let Some(scalar) = cx.scalar(node) else { return cx.wrong_type(node, "a whole number") };
        match scalar.kind {
            ScalarType::Integer => {}
            ScalarType::Text if scalar.text.parse::<u64>().is_ok() => {
                let problem =
                    Problem::new(format!("expected a whole number, found the text `{}`", scalar.text));
                cx.problem(node, problem.hint("remove the quotes"));
                return None;
            }
            ScalarType::Null | ScalarType::Bool(_) | ScalarType::Float | ScalarType::Text => {
                return cx.wrong_type(node, "a whole number");
            }
        }
        let digits = scalar.text.strip_prefix('+').unwrap_or(scalar.text);
        let number = digits.parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| self.range.contains(number));
        if number.is_none() {
            let (min, max) = self.bounds();
            cx.error(node, format!("{} is not between {min} and {max}", shortened(scalar.text)));
        }
        number
    }

    fn encode(&self, value: &T) -> Form {
        Form::Number(wide(*value))
    }

    fn shape(&self) -> Shape {
        let (min, max) = self.bounds();
        Shape::Integer { min, max }
    }
}

impl<T: Copy + TryInto<u64>> Number<T> {
    fn bounds(&self) -> (u64, u64) {
        (wide(*self.range.start()), wide(*self.range.end()))
    }
}

fn wide<T: TryInto<u64>>(value: T) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

/// One of a few words, each of which stands for a value.
pub struct Words<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy + PartialEq + Sync + 'static> Codec for Words<T> {
    type Value = T;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<T> {
        let known = || self.0.iter().map(|&(word, _)| word);
        let Some(scalar) = cx.scalar(node) else { return cx.wrong_type(node, &one_of(known())) };
        if let Some(&(_, value)) = self.0.iter().find(|&&(word, _)| word == scalar.text) {
            return Some(value);
        }
        if scalar.kind != ScalarType::Text {
            return cx.wrong_type(node, &one_of(known()));
        }
        let word = shortened(scalar.text);
        let problem = Problem::new(format!("expected {}, found `{word}`", one_of(known())));
        let problem = match nearest(scalar.text, known()) {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem,
        };
        cx.problem(node, problem);
        None
    }

    fn encode(&self, value: &T) -> Form {
        match self.0.iter().find(|(_, known)| known == value) {
            Some(&(word, _)) => Form::Text(word.into()),
            None => Form::Absent,
        }
    }

    fn shape(&self) -> Shape {
        Shape::Word(self.0.iter().map(|&(word, _)| word).collect())
    }
}

/// The words as a person lists them: `a`, `b` or `c`.
pub(crate) fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => "nothing".into(),
        Some((only, [])) => only.clone(),
        Some((last, [first])) => format!("{first} or {last}"),
        Some((last, others)) => format!("one of {} or {last}", others.join(", ")),
    }
}

/// A word that stands for a value, or what another codec reads.
pub struct AutoOr<T: 'static, C: Codec> {
    /// The word.
    pub word: &'static str,
    /// What it stands for.
    pub auto: T,
    /// What reads everything else.
    pub other: C,
    /// From what the other codec reads, and back; `None` is the word.
    pub wrap: fn(C::Value) -> T,
    /// The way back.
    pub unwrap: fn(&T) -> Option<C::Value>,
}

impl<T: Copy + Sync + 'static, C: Codec> Codec for AutoOr<T, C> {
    type Value = T;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<T> {
        match cx.scalar(node) {
            Some(scalar) if scalar.text == self.word => Some(self.auto),
            Some(scalar) if scalar.kind == ScalarType::Text && scalar.text.parse::<u64>().is_err() => {
                cx.wrong_type(node, &format!("`{}` or a whole number", self.word))
            }
            Some(_) | None => self.other.decode(node, cx).map(self.wrap),
        }
    }

    fn encode(&self, value: &T) -> Form {
        match (self.unwrap)(value) {
            Some(other) => self.other.encode(&other),
            None => Form::Text(self.word.into()),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![Shape::Word(vec![self.word]), self.other.shape()])
    }
}

/// What becomes of a number without quotes where a text is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// It is of the wrong type.
    Refused,
    /// It is not valid, but `parse` says why: `5` is a duration without a unit.
    Explained,
    /// It is valid within these bounds.
    Taken {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
}

/// A value that is written as text, or as a number that is read as text.
pub struct Text<T: 'static> {
    /// What it is, in a few words, with its bounds.
    pub what: &'static str,
    /// A regular expression that every valid text matches.
    pub pattern: Option<&'static str>,
    /// What becomes of a number without quotes.
    pub numbers: Numbers,
    /// Reads the text, or says what is wrong with it.
    pub parse: fn(&str) -> Result<T, Problem>,
    /// The text that reads back as the value.
    pub print: fn(&T) -> String,
}

impl<T: 'static> Codec for Text<T> {
    type Value = T;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<T> {
        let Some(scalar) = cx.scalar(node) else { return cx.wrong_type(node, self.what) };
        match scalar.kind {
            ScalarType::Text => {}
            ScalarType::Integer | ScalarType::Float if self.numbers != Numbers::Refused => {}
            ScalarType::Null => return cx.wrong_type(node, self.what),
            ScalarType::Bool(_) | ScalarType::Integer | ScalarType::Float => {
                let found = shortened(scalar.text);
                let problem = Problem::new(format!("expected {}, found `{found}`", self.what));
                cx.problem(node, problem.hint(format!("if the text is meant, write \"{found}\"")));
                return None;
            }
        }
        match (self.parse)(scalar.text) {
            Ok(value) => Some(value),
            Err(problem) => {
                cx.problem(node, problem);
                None
            }
        }
    }

    fn encode(&self, value: &T) -> Form {
        Form::Text((self.print)(value))
    }

    fn shape(&self) -> Shape {
        let text = Shape::Text { what: self.what.into(), pattern: self.pattern };
        match self.numbers {
            Numbers::Refused | Numbers::Explained => text,
            Numbers::Taken { min, max } => Shape::Either(vec![text, Shape::Integer { min, max }]),
        }
    }
}

/// The longest text that is not a body, in bytes.
const TEXT_BYTES_MAX: usize = 8192;

/// Any text.
pub const TEXT: Text<String> = Text {
    what: "a text",
    pattern: None,
    numbers: Numbers::Refused,
    parse: |text| match text.len() {
        0..=TEXT_BYTES_MAX => Ok(text.into()),
        length => Err(Problem::new(format!("the text has {length} bytes; the most is {TEXT_BYTES_MAX}"))),
    },
    print: String::clone,
};

/// The name of a listener, pool or server.
pub const NAME: Text<String> = Text {
    what: "a name",
    pattern: Some(r"^[A-Za-z0-9._:\[\]@-]{1,128}$"),
    numbers: Numbers::Refused,
    parse: parse_name,
    print: String::clone,
};

/// Whether `text` is a name, and what is wrong if it is not.
pub(crate) fn parse_name(text: &str) -> Result<String, Problem> {
    const CHARS_MAX: usize = 128;
    let known = |c: char| c.is_ascii_alphanumeric() || "._:-[]@".contains(c);
    if text.is_empty() {
        return Err(Problem::new("a name is empty"));
    }
    if let Some(wrong) = text.chars().find(|&c| !known(c)) {
        return Err(Problem::new(format!("`{wrong}` cannot stand in a name"))
            .hint("names are made of A-Z a-z 0-9 . _ : - [ ] @"));
    }
    match text.len() {
        0..=CHARS_MAX => Ok(text.into()),
        length => Err(Problem::new(format!("the name has {length} characters; the most is {CHARS_MAX}"))),
    }
}

/// A file in the file system.
pub const FILE: Text<PathBuf> = Text {
    what: "a path",
    pattern: Some("^[^\\u0000]+$"),
    numbers: Numbers::Refused,
    parse: |text| match text {
        "" => Err(Problem::new("the path is empty")),
        _ if text.contains('\0') => Err(Problem::new("a path cannot hold a NUL character")),
        _ => Ok(text.into()),
    },
    print: |path| path.to_string_lossy().into_owned(),
};
