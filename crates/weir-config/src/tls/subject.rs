//! A certificate's subject as text.

use std::fmt::Write as _;

use x509_parser::prelude::{FromDer, X509Certificate};

/// Short names of attribute types, by RFC 4514 section 3, and the mail address, which everybody writes so.
const SHORT_NAMES: [(&str, &str); 10] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// The subject of a certificate (DER) as RFC 4514 writes it, in ASCII: fit for a field of a request. `None` when it
/// can't be read.
pub fn subject(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut text = String::new();
    let names: Vec<_> = certificate.subject().iter_rdn().collect();
    for (index, name) in names.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in name.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            let oid = attribute.attr_type().to_id_string();
            let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid);
            text.push_str(short.map_or(&oid, |(_, short)| short));
            text.push('=');
            match attribute.as_str() {
                Ok(value) => escape(value, &mut text),
                Err(_) => {
                    text.push('#');
                    for byte in attribute.attr_value().data {
                        write!(text, "{byte:02x}").ok()?;
                    }
                }
            }
        }
    }
    Some(text)
}

/// The common name in the subject of a certificate (DER); empty where it has none.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    Some(name.unwrap_or_default().to_owned())
}

/// RFC 4514 section 2.4. What is not ASCII is escaped as well, as the RFC allows.
fn escape(value: &str, text: &mut String) {
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' ' if index == 0 || index == last => text.push_str("\\ "),
            b'#' if index == 0 => text.push_str("\\#"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn values_are_escaped() {
        for (value, escaped) in [
            ("Weir", "Weir"),
            ("a, b", "a\\, b"),
            (" x ", "\\ x\\ "),
            ("#1+2=3", "\\#1\\+2=3"),
            ("a\r\nb", "a\\0D\\0Ab"),
            ("ä", "\\C3\\A4"),
            ("", ""),
        ] {
            let mut text = String::new();
            escape(value, &mut text);
            assert_eq!(text, escaped);
        }
    }
}
