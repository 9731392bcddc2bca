//! Figures as a reader wants them: three digits that count, a unit, thousands apart.

/// `0`, `512 B`, `1 KB`, `1.5 KB`, `64 KB`, `1 MB`; a KB has 1024 bytes.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    match UNITS.iter().find(|&&(_, unit)| bytes >= unit) {
        None if bytes == 0 => "0".into(),
        None => format!("{bytes} B"),
        Some((name, unit)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
    }
}

/// `12,500`, `843`, `4.21`; `0`.
pub(crate) fn count(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value != 0.0 && value.abs() < 100.0 {
        let text = digits(value);
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').into()
        } else {
            text
        };
    }
    let whole = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("−{text}") } else { text }
}

/// `940 Mbit/s`, `1.21 Gbit/s`, `87.2 kbit/s`.
pub(crate) fn megabits(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1000.0 => (value / 1000.0, "Gbit/s"),
        value if value < 1.0 && value > 0.0 => (value * 1000.0, "kbit/s"),
        value => (value, "Mbit/s"),
    };
    format!("{} {unit}", count(value))
}

/// `84 %`, `3.2 %`, `99.1 %`: what is near 0 or 100 has one digit more.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if !percent.is_finite() {
        return "–".into();
    }
    let is_near_an_end = percent.abs() < 10.0 || (percent > 95.0 && percent < 100.0);
    let text = if is_near_an_end { format!("{:.1}", percent.abs()) } else { format!("{:.0}", percent.abs()) };
    let text = text.trim_end_matches(".0");
    let sign = if percent < 0.0 && text != "0" { "−" } else { "" };
    format!("{sign}{text} %")
}

/// `84 %`, for ticks.
pub(crate) fn percent_round(share: f64) -> String {
    percent((share * 1000.0).round() / 1000.0)
}

/// `12.3 µs`, `4.56 ms`, `1.2 s`, given in microseconds.
pub(crate) fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us >= 1e6 => (us / 1e6, "s"),
        us if us >= 1e3 => (us / 1e3, "ms"),
        us => (us, "µs"),
    };
    format!("{} {unit}", digits(value))
}

/// `3.2 times`, `18 times`.
pub(crate) fn times(factor: f64) -> String {
    format!("{} times", if factor >= 10.0 { format!("{factor:.0}") } else { format!("{factor:.1}") })
}

/// Three digits that count.
pub(crate) fn digits(value: f64) -> String {
    // By what is left after rounding: 99.97 has no digit behind the point.
    match value.abs() {
        _ if !value.is_finite() => "–".into(),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().into(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// `text`, or its beginning and a mark where it is longer.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// `text` for HTML and SVG: nothing in it means something there. Names are the user's.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Neither format can hold them, not even escaped.
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

/// A day such as `2026-11-27`, of milliseconds since 1970.
pub(crate) fn day(unix_ms: u64) -> String {
    // Days to a date of the Gregorian calendar, after Howard Hinnant's `civil_from_days`; never before 1970 here.
    let days = unix_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_count() {
        assert_eq!(
            [0, 512, 1024, 1536, 65_536, 1 << 20].map(size),
            ["0", "512 B", "1 KB", "1.5 KB", "64 KB", "1 MB"]
        );
        assert_eq!(
            [0.0, 4.214, 50.0, 843.2, 12_499.7, 1_234_567.0, -1500.0, f64::NAN].map(count),
            ["0", "4.21", "50", "843", "12,500", "1,234,567", "−1,500", "–"]
        );
        assert_eq!([940.2, 1210.0, 0.0872].map(megabits), ["940 Mbit/s", "1.21 Gbit/s", "87.2 kbit/s"]);
        assert_eq!(
            [0.84, 0.032, 0.991, 1.0, 0.0, -0.05, -0.0001, 0.5].map(percent),
            ["84 %", "3.2 %", "99.1 %", "100 %", "0 %", "−5 %", "0 %", "50 %"]
        );
        assert_eq!([12.34, 99.999, 4560.0, 1.2e6].map(time), ["12.3 µs", "100 µs", "4.56 ms", "1.20 s"]);
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list::<&str>(&[]), "");
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_400_000), "2000-02-29");
        assert_eq!(day(1_795_737_600_000), "2026-11-27");
        assert_eq!(day(4_102_444_799_000), "2099-12-31");
    }

    #[test]
    fn what_users_write_stays_text() {
        assert_eq!(escape("<b a='1'>&\u{1}\n"), "&lt;b a=&#39;1&#39;&gt;&amp;\u{fffd}\n");
        assert_eq!(cut("abcdef", 3), "abc…");
        assert_eq!(cut("abc", 3), "abc");
    }
}
