//! QEMU's fw_cfg: `-fw_cfg name=opt/weir/config,file=weir.yaml`. Needs the module `qemu_fw_cfg`, which the ACPI device
//! QEMU0002 asks for.

use super::fault::Problem;
use super::text::{ENCODED_BYTES_MAX, Encoding, weir_file};
use super::{Answer, Machine};

const NAME: &str = "opt/weir/config";
const PATH: &str = "sys/firmware/qemu_fw_cfg/by_name/opt/weir/config/raw";

pub(super) fn ask(machine: &Machine) -> Answer {
    let text = match machine.read(PATH, ENCODED_BYTES_MAX) {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => weir_file(&bytes, Encoding::Detect),
        Err(error) => Err(Problem::from(error)),
    };
    Answer::config(NAME, text)
}

#[cfg(test)]
mod tests {
    use super::super::fault::Fault;
    use super::super::machine::tests::Folder;
    use super::*;

    #[test]
    fn absent_is_silent_and_broken_is_a_fault() {
        let folder = Folder::new("fw_cfg");
        assert_eq!(ask(&folder.machine()), Answer::default());
        let folder = folder.with(PATH, "version: 1\n");
        let (place, seed) = ask(&folder.machine()).found.unwrap();
        assert_eq!((place.as_str(), seed.config.as_deref()), ("opt/weir/config", Some("version: 1\n")));
        let folder = folder.with(PATH, [0xff, b':']);
        assert_eq!(ask(&folder.machine()).faults, [Fault::new(NAME, Problem::NotText)]);
    }
}
