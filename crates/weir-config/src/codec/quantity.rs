//! Quantities with a unit: durations, sizes, percentages.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Codec, Context, Form, Numbers, Problem, Shape, Text, shortened};
use crate::tree::{NodeId, ScalarType};

/// The longest duration: 7 days.
const TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

const TIME_PATTERN: &str = "^([0-9]+(h|m|s|ms))+$";

/// A duration above zero.
pub const TIME: Text<Duration> = Text {
    what: "a duration (1ms to 168h)",
    pattern: Some(TIME_PATTERN),
    numbers: Numbers::Explained,
    parse: |text| match parse_duration(text)? {
        Duration::ZERO => Err(Problem::new(format!("`{text}` is no time at all")).hint("the least is `1ms`")),
        time => Ok(time),
    },
    print: print_duration,
};

/// A duration that may be zero.
pub const TIME_OR_ZERO: Text<Duration> = Text {
    what: "a duration (0s to 168h)",
    pattern: Some(TIME_PATTERN),
    numbers: Numbers::Explained,
    parse: parse_duration,
    print: print_duration,
};

/// A duration of up to ten years, in whole seconds.
pub const AGE: Text<Duration> = Text {
    what: "a duration (1s to 87600h)",
    pattern: Some(TIME_PATTERN),
    numbers: Numbers::Explained,
    parse: |text| match parse_time(text)? {
        time if time.subsec_millis() != 0 || time.is_zero() => {
            Err(Problem::new(format!("`{}` is not a number of seconds", shortened(text)))
                .hint("the least is `1s`"))
        }
        time if time > AGE_MAX => Err(Problem::new(format!("`{}` is too long", shortened(text)))
            .hint("the most is ten years, `87600h`; one year is `8760h`")),
        time => Ok(time),
    },
    print: print_duration,
};

const AGE_MAX: Duration = Duration::from_secs(87_600 * 3600);

/// Units of time in milliseconds, longest first.
const TIME_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

fn parse_duration(text: &str) -> Result<Duration, Problem> {
    match parse_time(text)? {
        time if time <= TIME_MAX => Ok(time),
        _too_long => {
            Err(Problem::new(format!("`{}` is too long", shortened(text))).hint("the most is 7 days, `168h`"))
        }
    }
}

/// A duration of any length.
fn parse_time(text: &str) -> Result<Duration, Problem> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let meant = format!("did you mean `{}s`?", shortened(text));
        return Err(Problem::new(format!("`{}` has no unit", shortened(text))).hint(meant));
    }
    let wrong = || {
        Problem::new(format!("`{}` is not a duration", shortened(text)))
            .hint("write it like `250ms`, `2s`, `1m`, `1h` or `1m30s`")
    };
    if text.is_empty() {
        return Err(wrong());
    }
    let mut rest = text;
    let mut total = Some(0_u64);
    let mut units = TIME_UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(wrong());
        }
        // Each unit once, the longer ones first.
        let (_, milliseconds) = units.find(|&&(name, _)| name == unit).ok_or_else(wrong)?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*milliseconds));
        total = total.zip(part).and_then(|(total, part)| total.checked_add(part));
        rest = after;
    }
    Ok(total.map_or(Duration::MAX, Duration::from_millis))
}

fn print_duration(time: &Duration) -> String {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match TIME_UNITS.iter().find(|&&(_, unit)| milliseconds.is_multiple_of(unit)) {
        Some((_, _)) if milliseconds == 0 => "0s".into(),
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None => format!("{milliseconds}ms"),
    }
}

/// A number of bytes within bounds: `16KiB`, `512B`, or a bare number.
pub struct SizeOf<T> {
    /// The least and the most, in bytes.
    pub range: RangeInclusive<T>,
}

/// Units of size in bytes, largest first.
const SIZE_UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl<T> Codec for SizeOf<T>
where
    T: Copy + PartialOrd + TryFrom<u64> + TryInto<u64> + Sync + 'static,
{
    type Value = T;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<T> {
        let scalar = cx.scalar(node);
        let text = match scalar {
            Some(scalar)
                if matches!(scalar.kind, ScalarType::Text | ScalarType::Integer | ScalarType::Float) =>
            {
                scalar.text
            }
            Some(_) | None => return cx.wrong_type(node, "a size such as `16KiB`"),
        };
        let bytes = match parse_size(text) {
            Ok(bytes) => bytes,
            Err(problem) => {
                cx.problem(node, problem);
                return None;
            }
        };
        let size = T::try_from(bytes).ok().filter(|size| self.range.contains(size));
        if size.is_none() {
            let (min, max) = self.bounds();
            cx.error(
                node,
                format!("`{}` is not between {} and {}", shortened(text), print_size(min), print_size(max)),
            );
        }
        size
    }

    fn encode(&self, value: &T) -> Form {
        let bytes = wide(*value);
        match SIZE_UNITS.iter().find(|&&(_, unit)| bytes >= unit && bytes.is_multiple_of(unit)) {
            Some(&(_, unit)) if unit > 1 => Form::Text(print_size(bytes)),
            Some(_) | None => Form::Number(bytes),
        }
    }

    fn shape(&self) -> Shape {
        let (min, max) = self.bounds();
        let what = format!("a size ({} to {})", print_size(min), print_size(max));
        let text = Shape::Text { what, pattern: Some("^[0-9]+(B|KiB|MiB|GiB|TiB)?$") };
        Shape::Either(vec![text, Shape::Integer { min, max }])
    }
}

impl<T: Copy + TryInto<u64>> SizeOf<T> {
    fn bounds(&self) -> (u64, u64) {
        (wide(*self.range.start()), wide(*self.range.end()))
    }
}

fn wide<T: TryInto<u64>>(value: T) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

fn parse_size(text: &str) -> Result<u64, Problem> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let wrong = || Problem::new(format!("`{}` is not a size", shortened(text)));
    let write = "write it like `16KiB`, `1MiB` or `512B`";
    if number.is_empty() {
        return Err(wrong().hint(write));
    }
    let factor = match SIZE_UNITS.iter().find(|&&(name, _)| name == unit) {
        Some(&(_, factor)) => factor,
        None if unit.is_empty() => 1,
        None => {
            let letter = unit.trim_start().chars().next().map(|c| c.to_ascii_uppercase());
            let meant = match letter {
                Some(letter @ ('K' | 'M' | 'G' | 'T')) => {
                    format!("did you mean `{}{letter}iB`?", shortened(number))
                }
                Some(_) | None => write.into(),
            };
            return Err(wrong().hint(meant));
        }
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| Problem::new(format!("`{}` is too large", shortened(text))))
}

fn print_size(bytes: u64) -> String {
    match SIZE_UNITS.iter().find(|&&(_, unit)| bytes >= unit && bytes.is_multiple_of(unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// A percentage from 0: `10%`, or `10`.
pub struct Percent {
    /// The most.
    pub max: u8,
}

impl Codec for Percent {
    type Value = u8;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<u8> {
        let text = match cx.scalar(node) {
            Some(scalar) if matches!(scalar.kind, ScalarType::Text | ScalarType::Integer) => scalar.text,
            Some(_) | None => return cx.wrong_type(node, "a percentage such as `10%`"),
        };
        let digits = text.strip_suffix('%').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let problem = Problem::new(format!("`{}` is not a whole percentage", shortened(text)));
            cx.problem(node, problem.hint("write it like `10%`"));
            return None;
        }
        let percent = digits.parse().ok().filter(|&percent: &u8| percent <= self.max);
        if percent.is_none() {
            cx.error(node, format!("`{}` is not between 0% and {}%", shortened(text), self.max));
        }
        percent
    }

    fn encode(&self, value: &u8) -> Form {
        Form::Text(format!("{value}%"))
    }

    fn shape(&self) -> Shape {
        let what = format!("a percentage (0% to {}%)", self.max);
        let text = Shape::Text { what, pattern: Some("^[0-9]{1,3}%?$") };
        Shape::Either(vec![text, Shape::Integer { min: 0, max: self.max.into() }])
    }
}
