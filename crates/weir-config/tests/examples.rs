//! The files in `configs/` and the one in the contract are valid and draw no warning.

use weir_config::{Color, parse, to_yaml};

#[test]
fn every_example_is_valid_without_a_warning_and_survives_printing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed =
            parse(&text).unwrap_or_else(|found| panic!("\n{}", found.render(&name, &text, Color::Never)));
        assert!(parsed.warnings.is_empty(), "\n{}", parsed.warnings.render(&name, &text, Color::Never));
        let printed = to_yaml(&parsed.config);
        let again = parse(&printed).unwrap_or_else(|found| panic!("{name}: {found}\n{printed}"));
        assert_eq!(again.config, parsed.config, "{name} printed as\n{printed}");
        seen += 1;
    }
    assert!(seen >= 13, "only {seen} examples found in {folder}");
}

#[test]
fn the_example_with_every_timeout_and_limit_says_the_defaults() {
    let text = include_str!("../../../configs/timeouts-and-limits.yaml");
    let printed = to_yaml(&parse(text).unwrap().config);
    let expected = "\
version: 1
listeners:
  web:
    bind: 127.0.0.1:8080
    routes:
      - pool: web
pools:
  web:
    servers:
      - 127.0.0.1:9101
";
    assert_eq!(printed, expected);
}
