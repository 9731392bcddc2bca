//! Writes a dynamic VHDX ([MS-VHDX]): Hyper-V's format.
//!
//! qemu-img writes another identity into each file; here they are constants, so that the same disk gives the same
//! bytes. The log is empty, as in a file that was closed.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::disk::Pieces;
use crate::layout::MIB;

const KIB: u64 = 1 << 10;
/// The smallest that there is: what is zero is left out in pieces of this length.
const BLOCK: u64 = MIB;

// The regions, each of 1 MiB behind the headers' one.
const LOG: u64 = MIB;
const METADATA: u64 = 2 * MIB;
const BLOCK_TABLE: u64 = 3 * MIB;
const BLOCKS: u64 = 4 * MIB;

const BLOCK_TABLE_REGION: Guid = Guid(0x2DC2_7766, 0xF623, 0x4200, 0x9D64_115E_9BFD_4A08);
const METADATA_REGION: Guid = Guid(0x8B7C_A206, 0x4790, 0x4B9A, 0xB8FE_575F_050F_886E);
const FILE_PARAMETERS: Guid = Guid(0xCAA1_6737, 0xFA36, 0x4D43, 0xB3B6_33F0_AA44_E76B);
const DISK_SIZE: Guid = Guid(0x2FA5_4224, 0xCD1B, 0x4876, 0xB211_5DBE_D83B_F4B8);
const DISK_IDENTITY: Guid = Guid(0xBECA_12AB, 0xB2E6, 0x4523, 0x93EF_C309_E000_C746);
const LOGICAL_SECTOR: Guid = Guid(0x8141_BF1D, 0xA96F, 0x4709, 0xBA47_F233_A8FA_AB5F);
const PHYSICAL_SECTOR: Guid = Guid(0xCDA3_48C7, 0x445D, 0x4471, 0x9CC9_E988_5251_C556);

// Our own.
const THIS_FILE: Guid = Guid(0x5745_4952, 0, 0x4000, 0x8000_0000_0000_0001);
const THIS_DATA: Guid = Guid(0x5745_4952, 0, 0x4000, 0x8000_0000_0000_0002);
const THIS_DISK: Guid = Guid(0x5745_4952, 0, 0x4000, 0x8000_0000_0000_0003);

/// As it is written: the first three parts with the lowest byte first, the last as it reads.
struct Guid(u32, u16, u16, u64);

impl Guid {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.1.to_le_bytes());
        bytes.extend_from_slice(&self.2.to_le_bytes());
        bytes.extend_from_slice(&self.3.to_be_bytes());
        bytes
    }
}

/// Writes the disk at `from`.
pub(crate) fn write(from: &Path, to: &Path) -> anyhow::Result<()> {
    let pieces = Pieces::open(from, BLOCK as usize)?;
    let size = pieces.size();
    ensure!(size.is_multiple_of(BLOCK), "the disk does not end with a whole MiB");
    // From then on, every so many entries of the table are another kind's.
    ensure!(size / BLOCK < 4096, "the disk is too large for this writer");

    let file = File::create(to).with_context(|| format!("can't make {}", to.display()))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    file.seek(SeekFrom::Start(BLOCKS)).context("can't write the VHDX")?;
    let mut table = Vec::new();
    let mut place = BLOCKS;
    for piece in pieces {
        /// All of the block is zero, and it has no place in the file.
        const ZERO: u64 = 2;
        /// It is at its place in the file, which is a whole number of MiB: the other bits are free for its state.
        const PRESENT: u64 = 6;
        match piece.context("can't read the disk")?.content {
            None => table.extend_from_slice(&ZERO.to_le_bytes()),
            Some(content) => {
                file.write_all(&content).context("can't write the VHDX")?;
                table.extend_from_slice(&(place | PRESENT).to_le_bytes());
                place += BLOCK;
            }
        }
    }
    let regions = region_table();
    for (offset, bytes) in [
        (0, file_type()),
        (64 * KIB, header(1)),
        (128 * KIB, header(2)),
        (192 * KIB, regions.clone()),
        (256 * KIB, regions),
        (METADATA, metadata(size)),
        (BLOCK_TABLE, table),
    ] {
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(&bytes))
            .context("can't write the VHDX")?;
    }
    file.flush().context("can't write the VHDX")?;
    // A disk without content still has its tables whole.
    file.get_ref().set_len(place).context("can't write the VHDX")
}

fn file_type() -> Vec<u8> {
    let mut bytes = b"vhdxfile".to_vec();
    bytes.extend("Weir".encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

/// The one with the higher number counts.
fn header(number: u64) -> Vec<u8> {
    let mut header = b"head\0\0\0\0".to_vec();
    header.extend_from_slice(&number.to_le_bytes());
    header.extend(THIS_FILE.bytes());
    header.extend(THIS_DATA.bytes());
    header.extend_from_slice(&[0; 16]); // nothing in the log
    header.extend_from_slice(&0_u16.to_le_bytes()); // the log's version
    header.extend_from_slice(&1_u16.to_le_bytes()); // the format's version
    header.extend_from_slice(&(MIB as u32).to_le_bytes());
    header.extend_from_slice(&LOG.to_le_bytes());
    header.resize(4 * KIB as usize, 0);
    with_checksum(header)
}

fn region_table() -> Vec<u8> {
    let mut table = b"regi\0\0\0\0".to_vec();
    table.extend_from_slice(&2_u64.to_le_bytes());
    for (kind, offset) in [(BLOCK_TABLE_REGION, BLOCK_TABLE), (METADATA_REGION, METADATA)] {
        table.extend(kind.bytes());
        table.extend_from_slice(&offset.to_le_bytes());
        table.extend_from_slice(&(MIB as u32).to_le_bytes());
        table.extend_from_slice(&1_u32.to_le_bytes()); // who does not know it must not open the file
    }
    table.resize(64 * KIB as usize, 0);
    with_checksum(table)
}

fn metadata(size: u64) -> Vec<u8> {
    const OF_DISK: u32 = 2;
    const REQUIRED: u32 = 4;
    let mut parameters = (BLOCK as u32).to_le_bytes().to_vec();
    parameters.extend_from_slice(&[0; 4]); // no parent, blocks come as they are needed
    let items = [
        (FILE_PARAMETERS, REQUIRED, parameters),
        (DISK_SIZE, OF_DISK | REQUIRED, size.to_le_bytes().to_vec()),
        (DISK_IDENTITY, OF_DISK | REQUIRED, THIS_DISK.bytes()),
        (LOGICAL_SECTOR, OF_DISK | REQUIRED, 512_u32.to_le_bytes().to_vec()),
        (PHYSICAL_SECTOR, OF_DISK | REQUIRED, 4096_u32.to_le_bytes().to_vec()),
    ];
    let mut table = b"metadata\0\0".to_vec();
    table.extend_from_slice(&(items.len() as u16).to_le_bytes());
    table.resize(32, 0);
    let mut values = Vec::new();
    for (kind, flags, value) in items {
        table.extend(kind.bytes());
        let offset = 64 * KIB as u32 + values.len() as u32;
        for number in [offset, value.len() as u32, flags, 0] {
            table.extend_from_slice(&number.to_le_bytes());
        }
        values.extend(value);
    }
    table.resize(64 * KIB as usize, 0);
    table.extend(values);
    table
}

/// Sets the four bytes behind the signature.
fn with_checksum(mut structure: Vec<u8>) -> Vec<u8> {
    let sum = crc32c(&structure);
    structure[4..8].copy_from_slice(&sum.to_le_bytes());
    structure
}

/// Castagnoli's, bit by bit: it is over three small tables.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::samples;

    fn number(file: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(file[at..at + 8].try_into().expect("8 bytes"))
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4: 32 bytes of zeros; and the usual check of the catalogue.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn every_table_carries_the_checksum_of_itself() {
        let file = samples::written(write, &samples::disk());
        for (at, length) in
            [(64 << 10, 4 << 10), (128 << 10, 4 << 10), (192 << 10, 64 << 10), (256 << 10, 64 << 10)]
        {
            let mut table = file[at..at + length].to_vec();
            let sum = u32::from_le_bytes(table[4..8].try_into().expect("4 bytes"));
            table[4..8].fill(0);
            assert_eq!(crc32c(&table), sum, "at {at}");
        }
    }

    #[test]
    fn identities_are_written_as_the_format_wants_them() {
        assert_eq!(METADATA_REGION.bytes()[..8], [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b]);
        assert_eq!(METADATA_REGION.bytes()[8..], [0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e]);
    }

    #[test]
    fn reads_back_as_the_disk_that_it_was() {
        let file = samples::written(write, &samples::disk());
        let mut disk = vec![0; samples::disk().len()];
        for (index, block) in disk.chunks_mut(1 << 20).enumerate() {
            let entry = number(&file, (3 << 20) + index * 8);
            if entry & 7 == 6 {
                let at = (entry >> 20 << 20) as usize;
                block.copy_from_slice(&file[at..at + (1 << 20)]);
            } else {
                assert_eq!(entry, 2);
            }
        }
        assert!(disk == samples::disk());
    }
}
