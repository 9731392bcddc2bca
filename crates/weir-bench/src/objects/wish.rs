//! What a request's target asks for: one table of parameters, which is the documentation, too. Pure.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The largest body, in bytes.
const SIZE_BYTES_MAX: u64 = 1 << 40;

/// The longest wait before an answer, in milliseconds.
const DELAY_MS_MAX: u64 = 60_000;

/// What a request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// The body's size in bytes, a random one in this range.
    pub(super) size: RangeInclusive<u64>,
    /// The time until the answer in milliseconds, a random one in this range.
    pub(super) delay_ms: RangeInclusive<u64>,
    /// The status.
    pub(super) status: u16,
    /// The body comes in chunks, to clients that know them.
    pub(super) is_chunked: bool,
    /// The connection ends with the answer.
    pub(super) is_last: bool,
    /// The answer goes wrong.
    pub(super) fault: Option<Fault>,
}

/// How an answer goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection ends after half of the body.
    Short,
    /// The connection is reset after half of the body.
    Reset,
    /// Nothing is ever answered.
    Hang,
    /// What is answered is no HTTP.
    Garbage,
    /// The connection ends instead of an answer.
    End,
}

impl Default for Wish {
    fn default() -> Self {
        Self { size: 0..=0, delay_ms: 0..=0, status: 200, is_chunked: false, is_last: false, fault: None }
    }
}

impl Wish {
    /// Whether every answer to it is the same, at once, and as it should be.
    pub(super) fn is_plain(&self) -> bool {
        self.size.start() == self.size.end() && self.delay_ms == (0..=0) && self.fault.is_none()
    }

    /// The time until the answer, by a number from 0 to 1.
    pub(super) fn delay(&self, chance: f64) -> Duration {
        Duration::from_millis(pick(&self.delay_ms, chance))
    }

    /// The body's size, by a number from 0 to 1.
    pub(super) fn bytes(&self, chance: f64) -> u64 {
        pick(&self.size, chance)
    }
}

/// A parameter of the query.
struct Parameter {
    names: &'static [&'static str],
    form: &'static str,
    text: &'static str,
    set: fn(&mut Wish, &str) -> Result<(), &'static str>,
}

/// Every parameter. Where httpterm has the same, its letter is the first name.
const PARAMETERS: &[Parameter] = &[
    Parameter {
        names: &["s", "size"],
        form: "SIZE or FROM-TO",
        text: "the body's bytes, 0 without it; k, m and g are KiB, MiB and GiB; a random size in a range",
        set: |wish, value| {
            wish.size = range(value, SIZE_BYTES_MAX, bytes)
                .ok_or("a size is like 0, 512, 64k, 1m, or a range of these such as 1k-64k")?;
            Ok(())
        },
    },
    Parameter {
        names: &["r", "status"],
        form: "CODE",
        text: "the status, 200 to 599",
        set: |wish, value| {
            let status = value.parse().ok().filter(|status| (200..600).contains(status));
            wish.status = status.ok_or("a status is from 200 to 599")?;
            Ok(())
        },
    },
    Parameter {
        names: &["t", "delay"],
        form: "MS or FROM-TO",
        text: "milliseconds until the answer; random ones in a range",
        set: |wish, value| {
            wish.delay_ms = range(value, DELAY_MS_MAX, |text| text.parse().ok())
                .ok_or("a delay is a number of milliseconds up to 60000, or a range such as 5-50")?;
            Ok(())
        },
    },
    Parameter {
        names: &["k", "chunked"],
        form: "0 or 1",
        text: "the body in chunks, to clients of HTTP/1.1; until the connection's end to others",
        set: |wish, value| {
            wish.is_chunked = switch(value)?;
            Ok(())
        },
    },
    Parameter {
        names: &["C", "close"],
        form: "0 or 1",
        text: "the connection ends with the answer",
        set: |wish, value| {
            wish.is_last = switch(value)?;
            Ok(())
        },
    },
    Parameter {
        names: &["fail"],
        form: "KIND",
        text: "the answer goes wrong: short, reset (both after half of the body), hang, garbage, end (no answer)",
        set: |wish, value| {
            wish.fault = Some(match value {
                "short" => Fault::Short,
                "reset" => Fault::Reset,
                "hang" => Fault::Hang,
                "garbage" => Fault::Garbage,
                "end" => Fault::End,
                _ => return Err("what fails is short, reset, hang, garbage or end"),
            });
            Ok(())
        },
    },
];

/// The parameters, a line each.
pub fn parameters() -> String {
    let line = |parameter: &Parameter| {
        let names = parameter.names.join(", ");
        format!("  {names:<12}{:<17}{}\n", parameter.form, parameter.text)
    };
    PARAMETERS.iter().map(line).collect()
}

/// Reads a target such as `/?s=64k&t=10`. Its path means nothing here.
///
/// # Errors
/// In words, when a parameter is unknown or has no such value.
pub(super) fn read(target: &str) -> Result<Wish, String> {
    let mut wish = Wish::default();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, "1"));
        let parameter = PARAMETERS.iter().find(|parameter| parameter.names.contains(&name));
        let parameter =
            parameter.ok_or_else(|| format!("no parameter `{name}`; there are:\n{}", parameters()))?;
        (parameter.set)(&mut wish, value).map_err(|why| format!("{name}={value}: {why}"))?;
    }
    Ok(wish)
}

fn range(text: &str, max: u64, read: fn(&str) -> Option<u64>) -> Option<RangeInclusive<u64>> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let range = read(from)?..=read(to)?;
    (range.start() <= range.end() && *range.end() <= max).then_some(range)
}

/// A size as a query has it: `512`, `64k`, `1m`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("it is 0 or 1"),
    }
}

fn pick(range: &RangeInclusive<u64>, chance: f64) -> u64 {
    let width = range.end() - range.start();
    range.start() + ((width as f64 + 1.0) * chance) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_say_what_is_wanted() {
        let plain = |bytes| Wish { size: bytes..=bytes, ..Wish::default() };
        for (target, wish) in [
            ("/", plain(0)),
            ("/any/path", plain(0)),
            ("/?", plain(0)),
            ("/?s=64k", plain(64 << 10)),
            ("/?size=1m", plain(1 << 20)),
            ("/?s=1k-2k", Wish { size: 1024..=2048, ..Wish::default() }),
            ("/?r=503&C", Wish { status: 503, is_last: true, ..Wish::default() }),
            ("/?t=5-50&k=1", Wish { delay_ms: 5..=50, is_chunked: true, ..Wish::default() }),
            ("/?s=10&fail=short", Wish { size: 10..=10, fault: Some(Fault::Short), ..Wish::default() }),
        ] {
            assert_eq!(read(target), Ok(wish), "{target}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for (target, words) in [
            ("/?s=k", "a size is like"),
            ("/?s=2k-1k", "a size is like"),
            ("/?s=99999999g", "a size is like"),
            ("/?r=99", "200 to 599"),
            ("/?t=-1", "milliseconds"),
            ("/?k=yes", "0 or 1"),
            ("/?fail=loudly", "garbage"),
            ("/?sise=1", "no parameter `sise`"),
        ] {
            let why = read(target).unwrap_err();
            assert!(why.contains(words), "{target}: {why}");
        }
    }

    #[test]
    fn a_range_is_used_to_both_its_ends() {
        let wish = read("/?s=10-12&t=3").unwrap();
        assert_eq!([0.0, 0.5, 0.999].map(|chance| wish.bytes(chance)), [10, 11, 12]);
        assert_eq!(wish.delay(0.7), Duration::from_millis(3));
        assert!(!wish.is_plain() && read("/?s=64k").unwrap().is_plain());
    }
}
