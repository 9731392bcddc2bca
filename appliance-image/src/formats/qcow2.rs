//! Writes a qcow2 disk, version 3 (QEMU's docs/interop/qcow2.rst), compressed, with equal clusters stored once.
//!
//! Both slots hold the same bytes at the same place within a cluster, so the second one costs nothing. That is sound:
//! a compressed cluster is never written in place, and each reference to the host's clusters that its bytes lie in is
//! counted. qemu-img writes each copy, and shares none.
//!
//! Invariant: the same disk gives the same bytes.

use std::collections::HashMap;
use std::io::{Seek as _, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::digest;
use crate::disk::Pieces;
use crate::formats::deflate::Deflate;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Counts have 16 bits.
const REFCOUNT_ORDER: u32 = 4;
const ENTRIES_PER_L2: u64 = CLUSTER / 8;
const COUNTS_PER_BLOCK: u64 = CLUSTER / 2;
/// An entry of L2: the cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// An entry of L1: the table is referred to once, and may be written in place.
const COPIED: u64 = 1 << 63;

/// Writes the disk at `from`.
pub(crate) fn write(from: &Path, to: &Path) -> anyhow::Result<()> {
    let pieces = Pieces::open(from, CLUSTER as usize)?;
    let size = pieces.size();
    ensure!(size % CLUSTER == 0, "the disk does not end with a whole cluster");
    let clusters = size / CLUSTER;
    let tables = clusters.div_ceil(ENTRIES_PER_L2);
    ensure!(tables <= ENTRIES_PER_L2, "the disk is too large for one cluster of L1");

    let mut file = std::fs::File::create(to).with_context(|| format!("can't make {}", to.display()))?;
    let mut out = Output { counts: Vec::new(), data: Vec::new() };
    // Header, L1, then the tables of L2, then data, then counts: all that is of known length comes first.
    let l1_offset = CLUSTER;
    let l2_offset = l1_offset + CLUSTER;
    let data_offset = l2_offset + tables * CLUSTER;
    let mut l2 = vec![0_u64; (tables * ENTRIES_PER_L2) as usize];
    let mut known = HashMap::new();
    let mut deflate = Deflate::best();

    out.count(0, data_offset);
    for (index, piece) in pieces.enumerate() {
        let Some(content) = piece.context("can't read the disk")?.content else { continue };
        let key = digest::of_bytes(&content);
        let stored = match known.get(&key) {
            Some(stored) => *stored,
            None => {
                let stored = out.store(data_offset, &content, &mut deflate)?;
                known.insert(key, stored);
                stored
            }
        };
        l2[index] = out.refer(stored);
    }

    let data_end = (data_offset + out.data.len() as u64).next_multiple_of(CLUSTER);
    let blocks = out.blocks(data_end);
    let table_offset = data_end + blocks * CLUSTER;
    out.count(data_end, (blocks + 1) * CLUSTER);

    let header = header(size, l1_offset, tables, table_offset);
    let l1: Vec<u64> = (0..tables).map(|table| (l2_offset + table * CLUSTER) | COPIED).collect();
    let refcount_table: Vec<u64> = (0..blocks).map(|block| data_end + block * CLUSTER).collect();
    let counts: Vec<u8> = out.counts.iter().flat_map(|count| count.to_be_bytes()).collect();
    for (offset, bytes) in [
        (0, header),
        (l1_offset, big_endian(&l1)),
        (l2_offset, big_endian(&l2)),
        (data_offset, out.data),
        (data_end, counts),
        (table_offset, big_endian(&refcount_table)),
    ] {
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(&bytes))
            .context("can't write the qcow2")?;
    }
    file.set_len(table_offset + CLUSTER).context("can't write the qcow2")?;
    Ok(())
}

/// Where a compressed cluster lies in the file.
#[derive(Clone, Copy)]
struct Stored {
    offset: u64,
    length: u64,
}

struct Output {
    /// How often each cluster of the file is referred to.
    counts: Vec<u16>,
    /// Compressed clusters, one behind the other.
    data: Vec<u8>,
}

impl Output {
    fn count(&mut self, offset: u64, length: u64) {
        let (first, last) = (offset / CLUSTER, (offset + length - 1) / CLUSTER);
        if self.counts.len() as u64 <= last {
            self.counts.resize(last as usize + 1, 0);
        }
        for count in &mut self.counts[first as usize..=last as usize] {
            // 65535 references would need that many clusters within 64 KiB: none is smaller than some 80 bytes.
            *count = count.checked_add(1).expect("a cluster has room for fewer than 65535 others");
        }
    }

    fn store(&mut self, start: u64, content: &[u8], deflate: &mut Deflate) -> anyhow::Result<Stored> {
        let packed = deflate.raw(content);
        ensure!(packed.len() as u64 <= CLUSTER + 512, "a cluster grew when it was compressed");
        let stored = Stored { offset: start + self.data.len() as u64, length: packed.len() as u64 };
        self.data.extend_from_slice(packed);
        Ok(stored)
    }

    /// The entry of L2 for a compressed cluster: its offset in the low bits, above them how many sectors follow the
    /// one that it begins in. The reader is given whole sectors, and finds the end by itself.
    fn refer(&mut self, stored: Stored) -> u64 {
        const LENGTH_SHIFT: u32 = 62 - (CLUSTER_BITS - 8);
        let sectors = (stored.offset + stored.length - 1) / 512 - stored.offset / 512;
        let first = stored.offset / 512 * 512;
        self.count(first, (sectors + 1) * 512);
        COMPRESSED | (sectors << LENGTH_SHIFT) | stored.offset
    }

    /// How many blocks of counts a file needs whose other clusters end at `end`: the blocks and their table count, too.
    fn blocks(&self, end: u64) -> u64 {
        let others = end / CLUSTER + 1;
        let mut blocks = others.div_ceil(COUNTS_PER_BLOCK);
        while blocks * COUNTS_PER_BLOCK < others + blocks {
            blocks += 1;
        }
        blocks
    }
}

fn header(size: u64, l1_offset: u64, l1_entries: u64, refcount_table: u64) -> Vec<u8> {
    const HEADER_LENGTH: u32 = 104;
    let mut header = b"QFI\xfb".to_vec();
    let small = |header: &mut Vec<u8>, value: u32| header.extend_from_slice(&value.to_be_bytes());
    let large = |header: &mut Vec<u8>, value: u64| header.extend_from_slice(&value.to_be_bytes());
    small(&mut header, 3);
    large(&mut header, 0); // no backing file
    small(&mut header, 0);
    small(&mut header, CLUSTER_BITS);
    large(&mut header, size);
    small(&mut header, 0); // not encrypted
    small(&mut header, l1_entries as u32);
    large(&mut header, l1_offset);
    large(&mut header, refcount_table);
    small(&mut header, 1); // clusters of that table
    small(&mut header, 0); // no snapshots
    large(&mut header, 0);
    large(&mut header, 0); // no features that an older reader must know, may ignore, or must clear
    large(&mut header, 0);
    large(&mut header, 0);
    small(&mut header, REFCOUNT_ORDER);
    small(&mut header, HEADER_LENGTH);
    large(&mut header, 0); // the end of its extensions
    header
}

fn big_endian(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::samples;

    /// Reads a disk back as the format's page says, without sharing code with the writer.
    fn read_back(file: &[u8]) -> Vec<u8> {
        let number = |at: usize| u64::from_be_bytes(file[at..at + 8].try_into().expect("8 bytes"));
        let (size, l1) = (number(24), number(40) as usize);
        let mut disk = vec![0; size as usize];
        for (index, cluster) in disk.chunks_mut(65536).enumerate() {
            let table = (number(l1 + index / 8192 * 8) & 0x00ff_ffff_ffff_fe00) as usize;
            let entry = number(table + index % 8192 * 8);
            if entry & (1 << 62) != 0 {
                let offset = (entry & ((1 << 54) - 1)) as usize;
                let sectors = (entry >> 54 & 0xff) as usize + 1;
                let end = (offset / 512 + sectors) * 512;
                let unpacked = libdeflater::Decompressor::new()
                    .deflate_decompress(&file[offset..end.min(file.len())], cluster)
                    .expect("sound data");
                assert_eq!(unpacked, 65536);
            }
        }
        disk
    }

    #[test]
    fn reads_back_as_the_disk_that_it_was() {
        assert!(read_back(&samples::written(write, &samples::disk())) == samples::disk());
    }

    #[test]
    fn equal_clusters_are_stored_once() {
        let mut once = samples::disk();
        once[40 << 16..46 << 16].fill(0);
        assert_eq!(samples::written(write, &samples::disk()).len(), samples::written(write, &once).len());
    }

    #[test]
    fn the_same_disk_gives_the_same_bytes() {
        assert!(samples::written(write, &samples::disk()) == samples::written(write, &samples::disk()));
    }
}
