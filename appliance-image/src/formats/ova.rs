//! Packs an OVA: a tar archive of the description (OVF 1.1, DSP0243), its manifest, and the disk as a VMDK.
//!
//! The order and every character of the manifest matter: importers read the description first, and take a digest only
//! as `SHA256(NAME)= HEX`. One archive serves VMware and VirtualBox: the latter takes a SCSI adapter that it does not
//! know for LSI Logic's and a card that it does not know for an E1000, and the image has drivers for both.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::digest;
use crate::layout::DISK_SIZE;

/// The description; what stands between two `@` is filled in.
const DESCRIPTION: &str = include_str!("../../files/weir.ovf");

/// Packs the VMDK at `vmdk`; `epoch` is the time that the archive's members carry.
pub(crate) fn write(vmdk: &Path, to: &Path, version: &str, epoch: u64) -> anyhow::Result<()> {
    let name = format!("weir-{version}");
    let vmdk_name = format!("{name}-disk1.vmdk");
    let size = vmdk.metadata().with_context(|| format!("can't read {}", vmdk.display()))?.len();
    let description = description(&vmdk_name, size, version);
    let manifest = manifest(&[
        (&format!("{name}.ovf"), &digest::of_bytes(description.as_bytes())),
        (&vmdk_name, &digest::of_file(vmdk)?),
    ]);
    let file = File::create(to).with_context(|| format!("can't make {}", to.display()))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let mut put = |bytes: &[u8]| file.write_all(bytes).context("can't write the OVA");
    for (name, text) in [(format!("{name}.ovf"), &description), (format!("{name}.mf"), &manifest)] {
        put(&tar_header(&name, text.len() as u64, epoch)?)?;
        put(text.as_bytes())?;
        put(&vec![0; padding(text.len() as u64)])?;
    }
    put(&tar_header(&vmdk_name, size, epoch)?)?;
    let mut disk = File::open(vmdk).with_context(|| format!("can't read {}", vmdk.display()))?;
    std::io::copy(&mut disk, &mut file).context("can't write the OVA")?;
    // Two empty blocks are the archive's end.
    let end = vec![0; padding(size) + 1024];
    file.write_all(&end).and_then(|()| file.flush()).context("can't write the OVA")
}

fn description(vmdk: &str, size: u64, version: &str) -> String {
    DESCRIPTION
        .replace("@VMDK@", vmdk)
        .replace("@SIZE@", &size.to_string())
        .replace("@CAPACITY@", &DISK_SIZE.to_string())
        .replace("@VERSION@", version)
}

fn manifest(files: &[(&str, &str)]) -> String {
    files.iter().map(|(name, digest)| format!("SHA256({name})= {digest}\n")).collect()
}

fn padding(size: u64) -> usize {
    (size.next_multiple_of(512) - size) as usize
}

/// POSIX's ustar: what every importer reads.
fn tar_header(name: &str, size: u64, epoch: u64) -> anyhow::Result<Vec<u8>> {
    ensure!(name.len() < 100 && size < 1 << 33, "{name} does not fit into a ustar header");
    let mut header = vec![0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, &format!("{epoch:011o}"));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    put(265, "root");
    put(297, "root");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &[u8]) -> Vec<u8> {
        crate::formats::samples::written(|from, to| write(from, to, "1.2.3", 1_735_689_600), content)
    }

    /// Names and contents, by the archive's own headers.
    fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut members = Vec::new();
        let mut at = 0;
        while archive[at] != 0 {
            let text = |from: usize, length: usize| {
                String::from_utf8_lossy(&archive[at + from..at + from + length])
                    .trim_end_matches('\0')
                    .to_owned()
            };
            let size = usize::from_str_radix(&text(124, 12), 8).expect("an octal number");
            members.push((text(0, 100), archive[at + 512..at + 512 + size].to_vec()));
            at += 512 + size.next_multiple_of(512);
        }
        members
    }

    #[test]
    fn the_description_comes_first_and_the_manifest_is_as_importers_want_it() {
        let members = members(&written(b"a disk"));
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["weir-1.2.3.ovf", "weir-1.2.3.mf", "weir-1.2.3-disk1.vmdk"]);
        let manifest = String::from_utf8_lossy(&members[1].1).into_owned();
        let digest = digest::of_bytes(b"a disk");
        assert!(manifest.contains(&format!("SHA256(weir-1.2.3-disk1.vmdk)= {digest}\n")), "{manifest}");
        let digest = digest::of_bytes(&members[0].1);
        assert!(manifest.starts_with(&format!("SHA256(weir-1.2.3.ovf)= {digest}\n")), "{manifest}");
    }

    #[test]
    fn everything_in_the_description_is_filled_in_and_no_property_must_be() {
        let description = description("disk.vmdk", 1234, "1.2.3");
        assert!(!description.contains('@'));
        assert!(description.contains("ovf:size=\"1234\""));
        assert!(description.contains("ovf:capacity=\"528482304\""));
        assert_eq!(description.matches("<Property ").count(), description.matches("ovf:value=\"\"").count());
    }

    #[test]
    fn a_headers_checksum_counts_itself_as_blanks() {
        let mut header = tar_header("a", 5, 0).expect("a short name");
        let sum =
            u32::from_str_radix(&String::from_utf8_lossy(&header[148..154]), 8).expect("an octal number");
        header[148..156].fill(b' ');
        assert_eq!(header.iter().map(|byte| u32::from(*byte)).sum::<u32>(), sum);
    }

    #[test]
    fn the_archive_ends_with_two_empty_blocks() {
        let archive = written(&[7; 512]);
        assert_eq!(archive.len() % 512, 0);
        assert!(archive[archive.len() - 1024..].iter().all(|byte| *byte == 0));
        assert_eq!(archive[archive.len() - 1025], 7);
    }
}
