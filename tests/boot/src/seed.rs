//! First-boot data in each of the ways that QEMU can hand it over.

use std::path::Path;
use std::process::Command;

use data_encoding::BASE64;

use crate::disk::run;

/// Where a machine finds its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A file of the emulator.
    FwCfg,
    /// A string of the firmware's table.
    Smbios,
    /// A CD labelled `cidata`.
    CidataIso,
    /// A disk with a FAT labelled `CIDATA`.
    CidataVfat,
    /// The kernel's command line, which only a machine has that starts the kernel itself.
    CommandLine,
}

impl Source {
    /// Those that work with any boot loader.
    pub const DEVICES: [Self; 4] = [Self::FwCfg, Self::Smbios, Self::CidataIso, Self::CidataVfat];

    /// What the appliance calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FwCfg => "fw_cfg",
            Self::Smbios => "smbios",
            Self::CidataIso | Self::CidataVfat => "nocloud",
            Self::CommandLine => "cmdline",
        }
    }

    /// QEMU's arguments; files go to `folder`. The command line has none: see [`Source::words`].
    pub(crate) fn arguments(self, config: &str, instance: &str, folder: &Path) -> Vec<String> {
        let user_data = folder.join("user-data");
        std::fs::write(&user_data, config).unwrap();
        let meta_data = folder.join("meta-data");
        std::fs::write(&meta_data, format!("instance-id: {instance}\n")).unwrap();
        let of = |list: &[&str]| list.iter().map(|&argument| argument.to_owned()).collect();
        match self {
            Self::FwCfg => of(&["-fw_cfg", &format!("name=opt/weir/config,file={}", user_data.display())]),
            Self::Smbios => {
                let value = format!("type=11,value=weir.config={}", BASE64.encode(config.as_bytes()));
                of(&["-smbios", &value])
            }
            Self::CidataIso => {
                let iso = folder.join("cidata.iso");
                let mut xorriso = Command::new("xorriso");
                xorriso.args(["-as", "genisoimage", "-quiet", "-V", "cidata", "-J", "-r", "-o"]).arg(&iso);
                run(xorriso.args([&user_data, &meta_data]));
                let drive = format!("if=none,id=seed,media=cdrom,format=raw,file={}", iso.display());
                of(&[
                    "-drive",
                    &drive,
                    "-device",
                    "ich9-ahci,id=seedbus",
                    "-device",
                    "ide-cd,bus=seedbus.0,drive=seed",
                ])
            }
            Self::CidataVfat => {
                let fat = folder.join("cidata.img");
                let _ = std::fs::remove_file(&fat);
                let image = fat.to_str().unwrap();
                run(Command::new("mformat").args(["-C", "-i", image, "-v", "CIDATA", "-T", "20480", "::"]));
                run(Command::new("mcopy").args(["-i", image]).args([&user_data, &meta_data]).arg("::"));
                let drive = format!("if=none,id=seed,format=raw,file={image}");
                of(&["-drive", &drive, "-device", "virtio-blk-pci,drive=seed"])
            }
            Self::CommandLine => Vec::new(),
        }
    }

    /// The words of the kernel's command line that carry a configuration.
    pub fn words(config: &str) -> String {
        format!("weir.config={}", BASE64.encode(config.as_bytes()))
    }
}
