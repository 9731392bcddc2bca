//! The kernel's command line: `weir.config=` and base64 (a short file: the kernel takes 2047 bytes in all), and `ip=`,
//! which the kernel itself leaves alone, being built without `IP_PNP`.

use super::text::{Encoding, weir_file};
use super::{Answer, Machine};

const PLACE: &str = "weir.config= on the kernel's command line";
/// The most bytes of the line that are read; the kernel keeps fewer.
const LINE_BYTES_MAX: usize = 64 << 10;

pub(super) fn ask(machine: &Machine) -> Answer {
    let Ok(Some(line)) = machine.read("proc/cmdline", LINE_BYTES_MAX) else { return Answer::default() };
    let line = String::from_utf8_lossy(&line).into_owned();
    match values(&line, "weir.config=").last() {
        Some(value) => Answer::config(PLACE, weir_file(value.as_bytes(), Encoding::Detect)),
        None => Answer::default(),
    }
}

/// The values of a parameter, in the line's order; as the kernel splits it, a double quote keeps spaces together.
fn values<'l>(line: &'l str, parameter: &str) -> impl Iterator<Item = &'l str> {
    let mut quoted = false;
    let words = line.split(move |character: char| {
        quoted ^= character == '"';
        character.is_ascii_whitespace() && !quoted
    });
    words.filter_map(move |word| {
        let word = word.strip_prefix('"').map_or(word, |word| word.trim_end_matches('"'));
        Some(word.strip_prefix(parameter)?.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::machine::tests::Folder;
    use super::*;

    #[test]
    fn the_last_value_counts() {
        let line = "quiet weir.config=eA== \"weir.config=dmVyc2lvbjogMQo=\" panic=10\n";
        let folder = Folder::new("cmdline").with("proc/cmdline", line);
        let (_, seed) = ask(&folder.machine()).found.unwrap();
        assert_eq!(seed.config.as_deref(), Some("version: 1\n"));
        assert_eq!(
            ask(&Folder::new("cmdline-none").with("proc/cmdline", "quiet\n").machine()),
            Answer::default()
        );
    }

    #[test]
    fn quotes_keep_spaces_together() {
        let values: Vec<&str> = values("a=1 a=\"2 3\" \"a=4 5\" ba=6", "a=").collect();
        assert_eq!(values, ["1", "2 3", "4 5"]);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[a= \"\n]{0,40}") {
            let _ = values(&line, "a=").count();
        }
    }
}
