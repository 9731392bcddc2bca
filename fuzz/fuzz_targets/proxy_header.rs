//! Any bytes are a PROXY header, the beginning of one, or neither; never a panic. What comes in pieces is judged as
//! what comes at once, and a header is bounded.

#![no_main]

use weir_proxy::bench::proxy_header;

/// Version 2 with all that it may hold.
const HEADER_BYTES_MAX: usize = 16 + (4 << 10);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    match proxy_header(bytes) {
        Ok(Some(length)) => {
            assert!(length <= bytes.len() && length <= HEADER_BYTES_MAX);
            assert_eq!(proxy_header(&bytes[..length]), Ok(Some(length)), "what follows is no part of it");
            assert_eq!(proxy_header(&bytes[..length - 1]), Ok(None), "it is whole before its end");
        }
        Ok(None) => {
            assert!(bytes.len() < HEADER_BYTES_MAX, "it never ends");
            assert!((0..bytes.len()).all(|end| proxy_header(&bytes[..end]) == Ok(None)));
        }
        Err(_) => {}
    }
});
