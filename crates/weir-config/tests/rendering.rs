//! How mistakes look in a terminal, and in the admin API.

use weir_config::{Color, Diagnostics, parse};

fn found(text: &str) -> Diagnostics {
    match parse(text) {
        Ok(parsed) => parsed.warnings,
        Err(found) => found,
    }
}

#[test]
fn every_mistake_is_reported_in_one_run() {
    let text = include_str!("many-mistakes.yaml");
    let found = found(text);
    let rendered = found.render("many-mistakes.yaml", text, Color::Never);
    let expected = include_str!("many-mistakes.txt");
    assert_eq!(rendered, expected, "\n{rendered}");
}

#[test]
fn a_diagnostic_underlines_the_offending_text() {
    let text = "version: 1\nlisteners:\n\tweb: \u{1b}[31m";
    let shown = found(text).render("f", text, Color::Never);
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let text = "version: 1\nworkers: 0";
    let shown = found(text).render("weir.yaml", text, Color::Never);
    let expected = "\
error: 0 is not between 1 and 1024
 --> weir.yaml:2:10 (workers)
  |
2 | workers: 0
  |          ^

1 error
";
    assert_eq!(shown, expected);
    let colored = found(text).render("weir.yaml", text, Color::Always);
    assert!(colored.starts_with("\u{1b}[1;31merror\u{1b}[0m"), "{colored:?}");
}

#[test]
fn a_long_line_is_cut_around_the_offending_text() {
    let text = format!("version: 1\nlog: {{ {} level: x }}\n", " ".repeat(5000));
    let shown = found(&text).render("f", &text, Color::Never);
    assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
    assert!(shown.contains("level: x"), "{shown}");
}

#[test]
fn diagnostics_are_json_for_the_admin_api() {
    let found = found("version: 1\nworkers: 0");
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "diagnostics": [{
                "severity": "error", "message": "0 is not between 1 and 1024", "line": 2, "column": 10,
                "span": { "start": 20, "end": 21 }, "hint": null, "path": "workers",
            }],
            "errors": 1,
            "warnings": 0,
        })
    );
}
