//! The report as Markdown, for a repository: findings, pictures, tables.

use super::Run;
use super::findings::{Finding, Kind};
use super::tables::Table;

/// Writes the report of some runs; `trends` is what changed from one to the next.
pub(crate) fn markdown(runs: &[Run], trends: &[Finding]) -> String {
    let mut out = String::new();
    if runs.len() > 1 {
        out += "# Runs compared\n\n";
        out += &list(trends);
    }
    for run in runs {
        out += &format!("# {}\n\n", plain(&run.summary.title));
        out += &list(&run.findings);
        for chart in &run.charts {
            let title = plain(&format!("{}: {}", chart.chart.title, chart.chart.subtitle));
            out += &format!("![{title}]({}.svg)\n\n", chart.file);
        }
        for shown in run.tables.iter().chain(&run.environment) {
            out += &table(shown);
        }
    }
    out
}

fn list(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match finding.kind {
        Kind::Advice => format!("- **{}**\n", plain(&finding.text)),
        Kind::Result => format!("- {}\n", plain(&finding.text)),
        Kind::Caveat => format!("- _{}_\n", plain(&finding.text)),
    };
    findings.iter().map(line).collect::<String>() + "\n"
}

fn table(table: &Table) -> String {
    let line = |cells: &[String]| {
        format!("| {} |\n", cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | "))
    };
    let align = |index: usize| if index == 0 || table.is_words { "---" } else { "---:" };
    let aligned: Vec<&str> = (0..table.headers.len()).map(align).collect();
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!(
        "## {}\n\n{}\n\n{}| {} |\n{rows}\n",
        plain(&table.title),
        plain(&table.note),
        line(&table.headers),
        aligned.join(" | ")
    )
}

/// `text` in which nothing means something to Markdown; names are the user's.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write_stays_text() {
        assert_eq!(plain("a|b*c\nd_e"), "a\\|b\\*c d\\_e");
    }
}
