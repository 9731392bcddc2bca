//! What came of a load, as text for people. Pure.

use std::fmt::Write;

use weir_bench::inject::Outcome;
use weir_bench::inject::outcome::{ErrorKind, Latency};

/// The whole of it; what the limit was comes first.
pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut notes = outcome.notes.iter();
    if let Some(first) = notes.next() {
        let warning = if outcome.limit.is_meaningful() { "" } else { "CAUTION: " };
        let _ = writeln!(text, "{warning}{first}");
    }
    for note in notes {
        let _ = writeln!(text, "  note: {note}");
    }
    if outcome.is_broken_off {
        let _ = writeln!(
            text,
            "  note: the run was broken off after {:.1} measured seconds",
            outcome.measured_seconds
        );
    }
    let (rates, measured) = (&outcome.rates, &outcome.measured);
    let _ = writeln!(text, "\nmeasured {:.2} s of {}", outcome.measured_seconds, outcome.address);
    for (name, value, whole) in [
        ("requests/s", count(rates.responses_per_second), count(measured.responses as f64)),
        ("connections/s", count(rates.connections_per_second), count(measured.connections as f64)),
        (
            "received bit/s",
            bits(rates.bits_per_second),
            format!("{} bytes", count(measured.bytes_received as f64)),
        ),
        ("errors/s", count(rates.errors_per_second), count(measured.errors.sum() as f64)),
    ] {
        let _ = writeln!(text, "  {name:<16}{value:>12}   in all {whole}");
    }
    for kind in ErrorKind::ALL.into_iter().filter(|&kind| measured.errors.of(kind) > 0) {
        let _ = writeln!(text, "    {:<34}{:>12}", kind.words(), count(measured.errors.of(kind) as f64));
    }
    let _ = writeln!(text, "\n                  p50       p90       p99     p99.9       max      mean");
    for (name, latency) in [("latency", &outcome.latency), ("connecting", &outcome.connecting)] {
        if latency.count > 0 {
            let _ = writeln!(text, "  {name:<11}{}", latencies(latency));
        }
    }
    let cpu = &outcome.cpu;
    let _ = writeln!(
        text,
        "\ninjector: {} threads, {:.0} % of their processors used, {:.2} us a request",
        cpu.threads,
        cpu.busy * 100.0,
        cpu.us_per_response
    );
    if let Some(origin) = &outcome.origin {
        let _ = writeln!(
            text,
            "origin:   {} threads, {:.0} % of their processors used, {} requests, {} connections",
            origin.threads,
            origin.busy * 100.0,
            count(origin.requests as f64),
            count(origin.connections as f64)
        );
    }
    text
}

fn latencies(latency: &Latency) -> String {
    let all =
        [latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us, latency.mean_us];
    all.iter().fold(String::new(), |mut line, &value| {
        let _ = write!(line, "{:>10}", micros(value));
        line
    })
}

/// `1,234,567`; below ten with a digit after the point, unless it is whole.
pub(super) fn count(value: f64) -> String {
    if value < 10.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `16.0 M`.
pub(super) fn bits(value: f64) -> String {
    for (unit, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value >= unit {
            return format!("{:.1} {name}", value / unit);
        }
    }
    format!("{value:.0} ")
}

/// `120 us`, `3.4 ms`, `1.20 s`.
pub(super) fn micros(value: f64) -> String {
    if value < 1e3 {
        format!("{value:.0} us")
    } else if value < 1e6 {
        format!("{:.1} ms", value / 1e3)
    } else {
        format!("{:.2} s", value / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(
            [0.0, 7.5, 999.0, 1000.4, 1234567.0].map(count),
            ["0", "7.5", "999", "1,000", "1,234,567"]
        );
        assert_eq!([999.0, 16e6, 2.5e9].map(bits), ["999 ", "16.0 M", "2.5 G"]);
        assert_eq!([120.4, 3400.0, 1.2e6].map(micros), ["120 us", "3.4 ms", "1.20 s"]);
    }
}
