//! No text makes the parser panic, and what it accepts it can print.

#![expect(clippy::unwrap_used, reason = "what helps tests is a test")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use weir_config::{Color, parse, to_yaml};

/// Texts that look enough like a configuration to get far.
fn nearly_yaml() -> impl Strategy<Value = String> {
    let words = select(vec![
        "version: 1\n",
        "listeners:",
        "pools:",
        "web:",
        "bind: ",
        "routes:",
        "servers:",
        "- ",
        "  ",
        "    ",
        "\n",
        "match: ",
        "header: ",
        "check: ",
        "http: ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ": ",
        "? ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "! ",
        "|\n",
        ">\n",
        "\"",
        "'",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\r",
        "\u{feff}",
        "\u{0}",
        "é",
        "😀",
        "127.0.0.1:80",
        "[::1]:80",
        "10.0.0.0/8",
        "5s",
        "1KiB",
        "10%",
        "200-399",
        "null",
        "~",
        "true",
        "1",
        "-1",
        "1e9",
        "99999999999999999999",
        "workers: ",
        "admin: ",
        "token_file: ",
        "limits: ",
        "uri: ",
        "timeouts: ",
        "balance: ",
    ]);
    vec(words, 0..60).prop_map(|words| words.concat())
}

fn does_not_panic(text: &str) {
    match parse(text) {
        Ok(parsed) => {
            parsed.warnings.render("f", text, Color::Never);
            assert_eq!(parse(&to_yaml(&parsed.config)).unwrap().config, parsed.config);
        }
        Err(found) => {
            assert!(found.errors() > 0);
            found.render("f", text, Color::Always);
            // Also when it is not the text that was parsed.
            found.render("f", "é\n", Color::Never);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        does_not_panic(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        does_not_panic(&text);
    }

    #[test]
    fn nothing_like_a_configuration_makes_it_panic(text in nearly_yaml()) {
        does_not_panic(&text);
    }

    #[test]
    fn no_cut_or_changed_example_makes_it_panic(cut in 0_usize..2000, at in 0_usize..2000, with in any::<char>()) {
        let text = include_str!("../../../configs/routing.yaml");
        does_not_panic(&text[..text.floor_char_boundary(cut)]);
        let at = text.floor_char_boundary(at);
        does_not_panic(&format!("{}{with}{}", &text[..at], text[at..].get(1..).unwrap_or("")));
    }
}
