//! Lines and columns of a text, counted only once somebody asks: a file without a mistake never pays.

use std::cell::OnceCell;

/// Finds the line and the column of a byte.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// Where each line begins, in bytes.
    starts: OnceCell<Vec<usize>>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, starts: OnceCell::new() }
    }

    /// The line and the column, in characters, both from 1, of the byte at `offset`.
    pub(crate) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts().partition_point(|&start| start <= offset);
        (line, self.text[self.line_start(line)..offset].chars().count() + 1)
    }

    /// Line `number`, from 1, without its end; empty beyond the last.
    pub(crate) fn line(&self, number: usize) -> &'t str {
        self.text[self.line_start(number)..].lines().next().unwrap_or("")
    }

    /// Where line `number`, from 1, begins, in bytes; the end of the text beyond the last.
    pub(crate) fn line_start(&self, number: usize) -> usize {
        let start = number.checked_sub(1).and_then(|index| self.starts().get(index));
        start.copied().unwrap_or(self.text.len())
    }

    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| {
            let newlines = self.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
            std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect()
        })
    }
}
