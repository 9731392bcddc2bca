//! The text format itself: families, series, labels and their escapes.

use std::fmt::{Display, Write};

/// Metrics as text.
pub(super) struct Text(String);

/// Labels, ready to be written: `pool="a",server="b"`. Escaped once, written many times.
pub(super) struct Labels(String);

impl Labels {
    pub(super) fn none() -> Self {
        Self(String::new())
    }

    pub(super) fn new<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        let mut text = String::new();
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            label(&mut text, name, value);
        }
        Self(text)
    }
}

impl Text {
    /// Room for the metrics of `servers`: growing by doubling would copy it all once more.
    pub(super) fn for_servers(servers: usize) -> Self {
        const BYTES_PER_SERVER: usize = 1536;
        const BYTES_OF_REST: usize = 64 << 10;
        Self(String::with_capacity(BYTES_OF_REST + servers * BYTES_PER_SERVER))
    }

    /// Begins a family; all its series must follow.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        put(&mut self.0, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    pub(super) fn series(&mut self, name: &str, suffix: &str, labels: &Labels, value: impl Display) {
        self.begin(name, suffix, labels, None);
        put(&mut self.0, format_args!(" {value}\n"));
    }

    /// A series with one label more.
    pub(super) fn series_with(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &Labels,
        more: (&str, &str),
        value: impl Display,
    ) {
        self.begin(name, suffix, labels, Some(more));
        put(&mut self.0, format_args!(" {value}\n"));
    }

    fn begin(&mut self, name: &str, suffix: &str, labels: &Labels, more: Option<(&str, &str)>) {
        let text = &mut self.0;
        text.push_str(name);
        text.push_str(suffix);
        if labels.0.is_empty() && more.is_none() {
            return;
        }
        text.push('{');
        text.push_str(&labels.0);
        if let Some((name, value)) = more {
            if !labels.0.is_empty() {
                text.push(',');
            }
            label(text, name, value);
        }
        text.push('}');
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String takes every write");
}
