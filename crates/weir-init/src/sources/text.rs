//! The one format in which every source takes a Weir file: the file itself, base64 of it, or base64 of gzip of it
//! (gzip alone as well, where a source can carry bytes). Which one it is shows: no Weir file goes without a colon, and
//! base64 has none.
//!
//! Pure, and bounded: what comes out is at most [`BYTES_MAX`], however well it was packed.

use std::io::Read;

use data_encoding::BASE64;

use super::fault::Problem;

/// The largest Weir file that first-boot data may be, in bytes.
pub(crate) const BYTES_MAX: usize = 1 << 20;
/// The most bytes that a source reads: the largest file in base64, with its lines' ends.
pub(crate) const ENCODED_BYTES_MAX: usize = 3 * BYTES_MAX / 2;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// What somebody says of how a text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Nothing: it is found out.
    Detect,
    /// Base64, of gzip or not.
    Base64,
}

impl Encoding {
    /// As cloud-init's and Ignition's users write it for VMware.
    pub(crate) fn named(name: &str) -> Result<Self, Problem> {
        match name.trim() {
            "" | "null" | "none" => Ok(Self::Detect),
            "base64" | "b64" | "gzip+base64" | "gz+base64" | "gzip+b64" | "gz+b64" => Ok(Self::Base64),
            other => Err(Problem::UnknownEncoding(other.to_owned())),
        }
    }
}

/// The Weir file in `bytes`; None where there is nothing, be it written as nothing or as `null`, as ESXi without
/// vCenter does for a property that was not filled in.
pub(crate) fn weir_file(bytes: &[u8], encoding: Encoding) -> Result<Option<String>, Problem> {
    let Some(text) = decode(bytes, encoding)? else { return Ok(None) };
    match cloud_init_kind(&text) {
        Some(kind) => Err(Problem::CloudInit { kind }),
        None => Ok(Some(text)),
    }
}

/// The text in `bytes`, whatever it is about; None where there is none.
pub(crate) fn decode(bytes: &[u8], encoding: Encoding) -> Result<Option<String>, Problem> {
    if bytes.len() > ENCODED_BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    // What is padded to a block, or to a C string, ends in zeros.
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let bytes = if bytes.starts_with(GZIP_MAGIC) { bytes } else { &bytes[..end] };
    if is_nothing(bytes) {
        return Ok(None);
    }
    let decoded = match encoding {
        Encoding::Base64 => Some(base64(bytes)?),
        Encoding::Detect if looks_like_base64(bytes) => Some(base64(bytes)?),
        Encoding::Detect => None,
    };
    let plain = decoded.as_deref().unwrap_or(bytes);
    let text = if plain.starts_with(GZIP_MAGIC) { gunzip(plain)? } else { plain.to_vec() };
    if text.len() > BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    let text = String::from_utf8(text).map_err(|_| Problem::NotText)?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok(if is_nothing(text.as_bytes()) { None } else { Some(text) })
}

fn is_nothing(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    bytes.is_empty() || bytes.eq_ignore_ascii_case(b"null")
}

fn looks_like_base64(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/= \t\r\n".contains(byte))
}

fn base64(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let packed: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    // Tools disagree about the padding; nothing hangs on it.
    let unpadded = packed.trim_ascii_end();
    let end = unpadded.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let mut padded = unpadded[..end].to_vec();
    padded.resize(padded.len().next_multiple_of(4), b'=');
    BASE64.decode(&padded).map_err(|error| Problem::NotBase64(error.to_string()))
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    let bound = BYTES_MAX as u64 + 1;
    flate2::read::MultiGzDecoder::new(bytes)
        .take(bound)
        .read_to_end(&mut text)
        .map_err(|error| Problem::NotGzip(error.to_string()))?;
    Ok(text)
}

/// How what is meant for cloud-init begins, as its documentation lists it, and what people call it.
const CLOUD_INIT: &[(&str, &str)] = &[
    ("#cloud-config-archive", "a #cloud-config-archive"),
    ("#cloud-config-jsonp", "a #cloud-config-jsonp"),
    ("#cloud-config", "a #cloud-config"),
    ("#cloud-boothook", "a #cloud-boothook"),
    ("#part-handler", "a #part-handler"),
    ("#include", "an #include list"),
    ("#!", "a script"),
    ("## template:", "a template"),
    ("Content-Type:", "a MIME message"),
    ("MIME-Version:", "a MIME message"),
];

fn cloud_init_kind(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    CLOUD_INIT.iter().find(|(prefix, _)| start.starts_with(prefix)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "version: 1\n# Ünicode\nlisteners: {}\n";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Option<String>, Problem> {
        weir_file(bytes, Encoding::Detect)
    }

    #[test]
    fn every_form_gives_the_same_file() {
        let base64 = BASE64.encode(FILE.as_bytes());
        let lines: Vec<&str> =
            base64.as_bytes().chunks(10).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let forms = [
            FILE.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", FILE.as_bytes()].concat(),
            [FILE.as_bytes(), &[0; 100]].concat(),
            base64.clone().into_bytes(),
            base64.trim_end_matches('=').as_bytes().to_vec(),
            lines.join("\r\n").into_bytes(),
            gzip(FILE.as_bytes()),
            BASE64.encode(&gzip(FILE.as_bytes())).into_bytes(),
        ];
        for form in forms {
            assert_eq!(read(&form), Ok(Some(FILE.to_owned())), "{form:?}");
        }
    }

    #[test]
    fn nothing_is_nothing_however_it_is_written() {
        for nothing in ["", " \n", "null", "NULL\n", "\0\0"] {
            assert_eq!(read(nothing.as_bytes()), Ok(None), "{nothing:?}");
        }
        assert_eq!(read(BASE64.encode(b"\n").as_bytes()), Ok(None));
    }

    #[test]
    fn what_is_broken_is_told_apart() {
        assert!(matches!(read(b"dmVyc2lvbjog!"), Err(Problem::NotText) | Ok(Some(_))));
        assert!(matches!(read(b"dmVyc2lvb"), Err(Problem::NotBase64(_))));
        assert!(matches!(read(&gzip(FILE.as_bytes())[..20]), Err(Problem::NotGzip(_))));
        assert_eq!(read(b"version: \xff"), Err(Problem::NotText));
        assert_eq!(read(b"#cloud-config\nusers: []\n"), Err(Problem::CloudInit { kind: "a #cloud-config" }));
        assert_eq!(read(b"#!/bin/sh\n:\n"), Err(Problem::CloudInit { kind: "a script" }));
        assert_eq!(Encoding::named("zip"), Err(Problem::UnknownEncoding("zip".to_owned())));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![b'a'; 64 << 20]);
        assert!(bomb.len() < BYTES_MAX);
        assert_eq!(read(&bomb), Err(Problem::TooLarge));
        assert_eq!(read(&vec![b':'; ENCODED_BYTES_MAX + 1]), Err(Problem::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = weir_file(&bytes, Encoding::Detect);
            let _ = weir_file(&bytes, Encoding::Base64);
            let _ = weir_file(&[GZIP_MAGIC, &bytes].concat(), Encoding::Detect);
        }

        #[test]
        fn a_file_in_base64_comes_back(text in "[ -~]{0,200}:[ -~]{1,40}") {
            let given = format!("v{text}");
            prop_assert_eq!(decode(BASE64.encode(given.as_bytes()).as_bytes(), Encoding::Detect), Ok(Some(given)));
        }
    }
}
