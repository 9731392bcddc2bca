//! Writes a streamOptimized VMDK: what OVF packages carry, and what VMware's imports take.
//!
//! VMware's Virtual Disk Format 5.0. Tables come first, then compressed grains, then exactly one sector of zeros, the
//! end of the stream. VMware stops reading there: what qemu-img leaves behind it makes VMware's digest of the file
//! another than the manifest's, and the import fails.
//!
//! Invariant: the same disk gives the same bytes, whatever the file is called.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::digest;
use crate::disk::Pieces;
use crate::formats::Deflate;
use crate::layout::SECTOR;

/// In sectors.
const GRAIN: u64 = 128;
const GRAINS_PER_TABLE: u64 = 512;
const TABLE_SECTORS: u64 = GRAINS_PER_TABLE * 4 / SECTOR;
const DESCRIPTOR_SECTORS: u64 = 20;

/// Writes the disk at `from`.
pub(crate) fn write(from: &Path, to: &Path) -> anyhow::Result<()> {
    let pieces = Pieces::open(from, (GRAIN * SECTOR) as usize)?;
    let plan = Plan::of(pieces.size())?;
    let descriptor = descriptor(plan.capacity, &digest::of_file(from)?);
    ensure!(descriptor.len() as u64 <= DESCRIPTOR_SECTORS * SECTOR, "the VMDK's descriptor is too long");

    let file = File::create(to).with_context(|| format!("can't make {}", to.display()))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    file.seek(SeekFrom::Start(plan.overhead * SECTOR)).context("can't write the VMDK")?;
    let mut entries = vec![0_u32; (plan.tables * GRAINS_PER_TABLE) as usize];
    let mut sector = plan.overhead;
    let mut deflate = Deflate::best();
    for (index, piece) in pieces.enumerate() {
        let Some(content) = piece.context("can't read the disk")?.content else { continue };
        let grain = grain(index as u64 * GRAIN, deflate.zlib(&content));
        entries[index] = u32::try_from(sector).context("the VMDK grew beyond what it can count")?;
        sector += grain.len() as u64 / SECTOR;
        file.write_all(&grain).context("can't write the VMDK")?;
    }
    file.write_all(&[0; SECTOR as usize]).context("can't write the VMDK")?;

    let tables = (0..plan.tables).map(|table| (plan.first_table + table * TABLE_SECTORS) as u32);
    for (sector, bytes) in [
        (0, header(&plan)),
        (1, descriptor.into_bytes()),
        (plan.directory, tables.flat_map(u32::to_le_bytes).collect()),
        (plan.first_table, entries.iter().copied().flat_map(u32::to_le_bytes).collect()),
    ] {
        file.seek(SeekFrom::Start(sector * SECTOR))
            .and_then(|_| file.write_all(&bytes))
            .context("can't write the VMDK")?;
    }
    file.flush().context("can't write the VMDK")
}

/// Where everything lies, in sectors.
struct Plan {
    capacity: u64,
    tables: u64,
    directory: u64,
    first_table: u64,
    overhead: u64,
}

impl Plan {
    fn of(size: u64) -> anyhow::Result<Self> {
        ensure!(size.is_multiple_of(GRAIN * SECTOR), "the disk does not end with a whole grain");
        let capacity = size / SECTOR;
        let tables = (capacity / GRAIN).div_ceil(GRAINS_PER_TABLE);
        let directory = 1 + DESCRIPTOR_SECTORS;
        let first_table = directory + (tables * 4).div_ceil(SECTOR);
        let overhead = (first_table + tables * TABLE_SECTORS).next_multiple_of(GRAIN);
        Ok(Self { capacity, tables, directory, first_table, overhead })
    }
}

/// A grain with the marker that names its place and length, filled up to whole sectors.
fn grain(sector: u64, packed: &[u8]) -> Vec<u8> {
    let mut grain = sector.to_le_bytes().to_vec();
    grain.extend_from_slice(&(packed.len() as u32).to_le_bytes());
    grain.extend_from_slice(packed);
    grain.resize(grain.len().next_multiple_of(SECTOR as usize), 0);
    grain
}

fn header(plan: &Plan) -> Vec<u8> {
    /// Ends of lines are checked, grains are compressed, and each carries a marker.
    const FLAGS: u32 = 1 | 1 << 16 | 1 << 17;
    const DEFLATE: u16 = 1;
    let mut header = b"KDMV".to_vec();
    header.extend_from_slice(&3_u32.to_le_bytes());
    header.extend_from_slice(&FLAGS.to_le_bytes());
    for number in [plan.capacity, GRAIN, 1, DESCRIPTOR_SECTORS] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header.extend_from_slice(&(GRAINS_PER_TABLE as u32).to_le_bytes());
    // No second directory.
    for number in [0, plan.directory, plan.overhead] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    // Closed cleanly; then what a transfer as text would damage.
    header.extend_from_slice(b"\0\n \r\n");
    header.extend_from_slice(&DEFLATE.to_le_bytes());
    header.resize(SECTOR as usize, 0);
    header
}

fn descriptor(capacity: u64, digest: &str) -> String {
    let cylinders = capacity.div_ceil(255 * 63).min(65535);
    // Identities of the content. The largest two have a meaning of their own.
    let id = format!("{}0", &digest[..7]);
    let long_id = &digest[..32];
    format!(
        "# Disk DescriptorFile\nversion=1\nCID={id}\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n\n\
         # Extent description\nRW {capacity} SPARSE \"weir.vmdk\"\n\n# The Disk Data Base\n#DDB\n\n\
         ddb.adapterType = \"lsilogic\"\nddb.geometry.cylinders = \"{cylinders}\"\nddb.geometry.heads = \"255\"\n\
         ddb.geometry.sectors = \"63\"\nddb.longContentID = \"{long_id}\"\nddb.toolsInstallType = \"4\"\n\
         ddb.toolsVersion = \"2147483647\"\nddb.virtualHWVersion = \"13\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::samples;

    fn number(file: &[u8], at: u64, length: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&file[at as usize..at as usize + length]);
        u64::from_le_bytes(bytes)
    }

    /// Reads a disk back as the format's page says, and tells where the last grain ends.
    fn read_back(file: &[u8]) -> (Vec<u8>, u64) {
        let capacity = number(file, 12, 8);
        let mut disk = vec![0; (capacity * SECTOR) as usize];
        let mut end = 0;
        for (index, grain) in (0..).zip(disk.chunks_mut(65536)) {
            let table = number(file, number(file, 56, 8) * SECTOR + index / 512 * 4, 4);
            let at = number(file, table * SECTOR + index % 512 * 4, 4) * SECTOR;
            if at != 0 {
                assert_eq!(number(file, at, 8), index * GRAIN);
                let length = number(file, at + 8, 4);
                let packed = &file[at as usize + 12..(at + 12 + length) as usize];
                libdeflater::Decompressor::new().zlib_decompress(packed, grain).expect("sound data");
                end = end.max((at + 12 + length).next_multiple_of(SECTOR));
            }
        }
        (disk, end)
    }

    #[test]
    fn reads_back_as_the_disk_that_it_was() {
        let file = samples::written(write, &samples::disk());
        assert!(read_back(&file).0 == samples::disk());
    }

    #[test]
    fn ends_with_exactly_one_sector_behind_the_last_grain() {
        let file = samples::written(write, &samples::disk());
        let end = read_back(&file).1 as usize;
        assert_eq!(file.len(), end + 512);
        assert!(file[end..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_same_disk_gives_the_same_bytes() {
        assert!(samples::written(write, &samples::disk()) == samples::written(write, &samples::disk()));
    }
}
