//! What the handshake of a WebSocket has in HTTP/1.1 (RFC 6455 section 4) and has not in HTTP/2 (RFC 8441 section
//! 5): a key, and the proof that the server has read it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::BASE64;

/// The field in which a client sends its key.
pub(crate) const KEY: &str = "sec-websocket-key";
/// The field in which the server answers it.
pub(crate) const ACCEPT: &str = "sec-websocket-accept";

/// A key, for a server that wants one from a client that sent none.
pub(crate) fn new_key() -> String {
    BASE64.encode(&fastrand::u128(..).to_be_bytes())
}

/// The answer to a key (RFC 6455 section 4.2.2).
pub(crate) fn accept(key: &[u8]) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_rfc_6455_shows_it() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_new_key_is_sixteen_bytes_and_never_the_same() {
        let key = new_key();
        assert_eq!(BASE64.decode(key.as_bytes()).unwrap().len(), 16);
        assert_ne!(key, new_key());
    }
}
