//! The kernel's command line: `weir.config=` and base64 (a short file: the kernel takes 2047 bytes in all), and `ip=`,
//! which the kernel itself leaves alone, being built without `IP_PNP`.

use crate::network::ip_argument;

use super::fault::{Fault, Problem};
use super::text::{Encoding, weir_file};
use super::{Answer, Machine, Seed};

const PLACE: &str = "the kernel's command line";
const CONFIG: &str = "weir.config=";
const IP: &str = "ip=";
/// The most bytes of the line that are read; the kernel keeps fewer.
const LINE_BYTES_MAX: usize = 64 << 10;
/// The most `ip=` of a line.
const IPS_MAX: usize = 64;

pub(super) fn ask(machine: &Machine) -> Answer {
    let Ok(Some(line)) = machine.read("proc/cmdline", LINE_BYTES_MAX) else { return Answer::default() };
    read(&String::from_utf8_lossy(&line))
}

fn read(line: &str) -> Answer {
    let mut seed = Seed::default();
    let mut faults = Vec::new();
    if let Some(value) = values(line, CONFIG).last() {
        match weir_file(value.as_bytes(), Encoding::Detect) {
            Ok(config) => seed.config = config,
            Err(problem) => faults.push(Fault::new(&format!("{CONFIG} on {PLACE}"), problem)),
        }
    }
    for value in values(line, IP).take(IPS_MAX) {
        match ip_argument::parse(value) {
            Ok(argument) => {
                seed.interfaces.extend(argument.interfaces);
                seed.hostname = argument.hostname.or(seed.hostname);
                seed.name_servers.extend(argument.name_servers);
            }
            Err(error) => faults.push(Fault::new(PLACE, Problem::Malformed(error.to_string()))),
        }
    }
    Answer { found: Some((PLACE.to_owned(), seed)), faults }
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
    fn ip_is_read_as_the_kernel_documents_it() {
        let Answer { found, faults } =
            read("ip=192.0.2.10::192.0.2.1:255.255.255.0:lb1::none:192.0.2.53 ip=x weir.config=");
        let (_, seed) = found.unwrap();
        assert_eq!(seed.interfaces[0].addresses[0].to_string(), "192.0.2.10/24");
        assert_eq!((seed.hostname.as_deref(), seed.name_servers.len()), (Some("lb1"), 1));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(read("quiet").found.is_none_or(|(_, seed)| seed.is_empty()));
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
