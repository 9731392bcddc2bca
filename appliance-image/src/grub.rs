//! What GRUB needs: its configuration, its counters, and for BIOS its code and where that lies.
//!
//! UEFI takes Debian's signed shim and GRUB as they are. For BIOS the modules are linked into one core by
//! grub-mkimage, and what grub-bios-setup would patch is patched here: it would need root and a block device.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::layout::{BIOS, SECTOR};
use crate::tools::Tools;

/// For every firmware; lies on the ESP as `/grub/grub.cfg`.
pub(crate) const CONFIGURATION: &str = include_str!("../files/grub.cfg");
/// Where shim's GRUB and Xen's pvgrub look first: goes on to the one above.
pub(crate) const REDIRECTION: &str = "configfile ($root)/grub/grub.cfg\n";

/// Linked into BIOS's core: all that [`CONFIGURATION`] uses, because no module lies on the disk.
const BIOS_MODULES: [&str; 19] = [
    "biosdisk",
    "boot",
    "configfile",
    "echo",
    "ext2",
    "fat",
    "halt",
    "linux16",
    "loadenv",
    "minicmd",
    "normal",
    "part_gpt",
    "reboot",
    "regexp",
    "serial",
    "sleep",
    "terminal",
    "test",
    "true",
];

/// 1024 bytes, as `grub-editenv` makes them. GRUB writes them in place, block by block.
pub(crate) fn environment(variables: &[(&str, &str)]) -> Vec<u8> {
    let mut block = b"# GRUB Environment Block\n".to_vec();
    for (name, value) in variables {
        block.extend_from_slice(format!("{name}={value}\n").as_bytes());
    }
    block.resize(1024, b'#');
    block
}

/// What a fresh image boots: slot A, which is the good one.
pub(crate) fn fresh_environment() -> Vec<u8> {
    environment(&[("good", "A"), ("next", "A"), ("tries", "0")])
}

/// The first sector's code and the content of the partition BIOS.
pub(crate) struct BiosCode {
    /// 440 bytes.
    pub(crate) boot: Vec<u8>,
    pub(crate) core: Vec<u8>,
}

/// Makes BIOS's code; `work` is a folder to write to.
pub(crate) fn bios_code(tools: &Tools, work: &Path) -> anyhow::Result<BiosCode> {
    let modules = tools.root().join("usr/lib/grub/i386-pc");
    let core_path = work.join("core.img");
    let mut arguments = vec!["-d".as_ref(), modules.as_os_str(), "-o".as_ref(), core_path.as_os_str()];
    arguments.extend(["-O", "i386-pc", "-C", "xz", "-p", "(,gpt2)/grub"].map(std::ffi::OsStr::new));
    arguments.extend(BIOS_MODULES.iter().map(std::ffi::OsStr::new));
    tools.run("usr/bin/grub-mkimage", &arguments)?;
    let core = fs::read(&core_path).context("grub-mkimage wrote nothing")?;
    let boot = fs::read(modules.join("boot.img")).context("grub-pc-bin has no boot.img")?;
    place(&boot, core)
}

/// Tells the first sector where the core lies, and the core where the rest of it does.
fn place(boot: &[u8], mut core: Vec<u8>) -> anyhow::Result<BiosCode> {
    // boot.S: GRUB_BOOT_MACHINE_KERNEL_SECTOR and GRUB_BOOT_MACHINE_DRIVE_CHECK; diskboot.S: the first of its block
    // lists, at the end of its sector.
    const KERNEL_SECTOR: usize = 0x5c;
    const DRIVE_CHECK: usize = 0x66;
    const BLOCK_LIST: usize = 0x1f4;
    ensure!(boot.len() == 512, "GRUB's boot.img has {} bytes, not 512", boot.len());
    ensure!(
        core.len() as u64 <= BIOS.bytes(),
        "GRUB's core needs {} bytes, the partition has less",
        core.len()
    );
    ensure!(core.len() > 512, "GRUB's core is empty");

    let sector = BIOS.offset() / SECTOR;
    let mut boot = boot[..440].to_vec();
    boot[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&sector.to_le_bytes());
    // Two times `nop`: the drive's number that BIOS gives is believed, for what boots here is a hard disk.
    boot[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    core[BLOCK_LIST..BLOCK_LIST + 8].copy_from_slice(&(sector + 1).to_le_bytes());
    Ok(BiosCode { boot, core })
}

/// Refuses a configuration that GRUB could not parse: it would say so only on a screen.
pub(crate) fn check(tools: &Tools) -> anyhow::Result<()> {
    let check =
        |text: &str| tools.run_with_input("usr/bin/grub-script-check", &["/dev/stdin"], text.as_bytes());
    check(CONFIGURATION).and_then(|_| check(REDIRECTION)).context("grub.cfg is not a GRUB script")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_what_grub_reads() {
        let block = fresh_environment();
        assert_eq!(block.len(), 1024);
        assert!(block.starts_with(b"# GRUB Environment Block\ngood=A\nnext=A\ntries=0\n####"));
        assert!(block.ends_with(b"#"));
    }

    #[test]
    fn the_core_is_found_in_its_partition() {
        let code = place(&[0; 512], vec![0; 1024]).expect("sound sizes");
        assert_eq!(code.boot.len(), 440);
        assert_eq!(code.boot[0x5c..0x64], 2048_u64.to_le_bytes());
        assert_eq!(code.core[0x1f4..0x1fc], 2049_u64.to_le_bytes());
        assert!(place(&[0; 512], vec![0; 2 << 20]).is_err(), "it would run into the ESP");
    }

    #[test]
    fn every_command_of_the_configuration_is_linked_in_for_bios() {
        let commands = [
            ("regexp", "regexp"),
            ("load_env", "loadenv"),
            ("save_env", "loadenv"),
            ("serial", "serial"),
            ("terminal_input", "terminal"),
            ("linux16", "linux16"),
            ("initrd16", "linux16"),
            ("boot", "boot"),
            ("echo", "echo"),
            ("sleep", "sleep"),
            ("reboot", "reboot"),
            ("[", "test"),
            ("configfile", "configfile"),
        ];
        for (command, module) in commands {
            assert!(
                CONFIGURATION.contains(command) || REDIRECTION.contains(command),
                "{command} is not used"
            );
            assert!(BIOS_MODULES.contains(&module), "{module} is missing");
        }
    }
}
