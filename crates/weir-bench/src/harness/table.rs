//! Tables, for a terminal and for Markdown.

/// A table: the first columns hold words, the others figures.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    headers: Vec<String>,
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns, of which the first `words` are aligned to the left.
    pub(crate) fn new(words: usize, headers: &[&str]) -> Self {
        Self { headers: headers.iter().map(|&header| header.into()).collect(), words, rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing are empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.headers.len(), String::new());
        self.rows.push(cells);
    }

    /// For a terminal: columns as wide as they must be.
    pub(crate) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.headers]).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headers.len()).map(width).collect();
        let mut text = String::new();
        for row in [&self.headers].into_iter().chain(&self.rows) {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if column < self.words { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// For a page.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let aligned = (0..self.headers.len()).map(|column| if column < self.words { "---" } else { "---:" });
        let mut text = line(self.headers.iter().map(String::as_str).collect());
        text += &line(aligned.collect());
        for row in &self.rows {
            text += &line(row.iter().map(String::as_str).collect());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_figures_right() {
        let mut table = Table::new(1, &["who", "µs"]);
        table.row(["a".into(), "12.5".into()]);
        table.row(["longer".into()]);
        assert_eq!(table.text(), "who       µs\na       12.5\nlonger\n");
        assert_eq!(table.markdown(), "| who | µs |\n| --- | ---: |\n| a | 12.5 |\n| longer |  |\n");
    }
}
