//! Deflate, as several formats want it: raw (RFC 1951), in zlib's frame (RFC 1950) or gzip's (RFC 1952) without a
//! time or a name.

use libdeflater::{CompressionLvl, Compressor};

/// Compresses pieces one after the other, into one buffer.
pub(crate) struct Deflate {
    compressor: Compressor,
    buffer: Vec<u8>,
}

impl Deflate {
    /// As small as it gets. Slow, and nearly all that is compressed here is packed already.
    pub(crate) fn best() -> Self {
        Self { compressor: Compressor::new(CompressionLvl::best()), buffer: Vec::new() }
    }

    pub(crate) fn raw(&mut self, content: &[u8]) -> &[u8] {
        self.buffer.resize(self.compressor.deflate_compress_bound(content.len()), 0);
        let length = self.compressor.deflate_compress(content, &mut self.buffer);
        &self.buffer[..length.expect("the buffer has the length that suffices")]
    }

    pub(crate) fn zlib(&mut self, content: &[u8]) -> &[u8] {
        self.buffer.resize(self.compressor.zlib_compress_bound(content.len()), 0);
        let length = self.compressor.zlib_compress(content, &mut self.buffer);
        &self.buffer[..length.expect("the buffer has the length that suffices")]
    }

    pub(crate) fn gzip(&mut self, content: &[u8]) -> &[u8] {
        self.buffer.resize(self.compressor.gzip_compress_bound(content.len()), 0);
        let length = self.compressor.gzip_compress(content, &mut self.buffer);
        &self.buffer[..length.expect("the buffer has the length that suffices")]
    }
}
