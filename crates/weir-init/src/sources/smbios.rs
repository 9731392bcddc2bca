//! SMBIOS' OEM strings (type 11): `weir.config=` and base64, whole or as `weir.config.0=`, `weir.config.1=`, ... since
//! tools that write them bound a string. QEMU: `-smbios type=11,value=weir.config=...`, or `path=` of a file.

use super::fault::Problem;
use super::text::ENCODED_BYTES_MAX;
use super::{Answer, Machine, pieces};

const ENTRIES: &str = "sys/firmware/dmi/entries";
const NAME: &str = "weir.config";
const PLACE: &str = "SMBIOS OEM string weir.config";
/// The most structures of type 11 that are looked at; there is one as a rule.
const STRUCTURES_MAX: usize = 64;

pub(super) fn ask(machine: &Machine) -> Answer {
    Answer::config(PLACE, read(machine))
}

fn read(machine: &Machine) -> Result<Option<String>, Problem> {
    let mut structures = Vec::new();
    let names = machine.names(ENTRIES).into_iter().filter(|name| name.starts_with("11-"));
    for name in names.take(STRUCTURES_MAX) {
        let path = format!("{ENTRIES}/{name}/raw");
        structures.extend(machine.read(&path, ENCODED_BYTES_MAX)?);
    }
    let strings = structures.iter().flat_map(|structure| strings(structure));
    pieces::weir_file_in(NAME, strings.filter_map(key_and_value))
}

/// The strings of a structure: they follow its formatted part, whose length stands in its second byte, each ends in a
/// zero, and an empty one ends them (DSP0134, 6.1.3).
fn strings(structure: &[u8]) -> impl Iterator<Item = &[u8]> {
    let formatted = structure.get(1).map_or(0, |length| usize::from(*length));
    let strings = structure.get(formatted..).unwrap_or(&[]);
    strings.split(|byte| *byte == 0).take_while(|string| !string.is_empty())
}

fn key_and_value(string: &[u8]) -> Option<(&str, &[u8])> {
    let equals = string.iter().position(|byte| *byte == b'=')?;
    let key = std::str::from_utf8(&string[..equals]).ok()?;
    Some((key.trim(), &string[equals + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::machine::tests::Folder;
    use super::*;

    fn structure(strings: &[&str]) -> Vec<u8> {
        let mut raw = vec![11, 5, 0, 0x0e, u8::try_from(strings.len()).unwrap()];
        for string in strings {
            raw.extend_from_slice(string.as_bytes());
            raw.push(0);
        }
        raw.push(0);
        raw
    }

    #[test]
    fn a_file_comes_from_one_string_or_several() {
        let whole = structure(&["vendor=x", "weir.config=dmVyc2lvbjogMQo="]);
        let folder = Folder::new("smbios")
            .with(&format!("{ENTRIES}/11-0/raw"), whole)
            .with(&format!("{ENTRIES}/1-0/raw"), "");
        assert_eq!(read(&folder.machine()), Ok(Some("version: 1\n".to_owned())));
        let folder = folder
            .with(&format!("{ENTRIES}/11-0/raw"), structure(&["weir.config.1=bjogMQo="]))
            .with(&format!("{ENTRIES}/11-1/raw"), structure(&["weir.config.0=dmVyc2lv"]));
        assert_eq!(read(&folder.machine()), Ok(Some("version: 1\n".to_owned())));
        let folder = folder.with(&format!("{ENTRIES}/11-1/raw"), structure(&["nothing of ours"]));
        assert_eq!(read(&folder.machine()), Err(Problem::PieceMissing { missing: 0 }));
    }

    proptest! {
        #[test]
        fn no_structure_panics(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = strings(&raw).filter_map(key_and_value).count();
        }
    }
}
