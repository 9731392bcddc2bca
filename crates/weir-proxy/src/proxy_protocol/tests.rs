//! Headers to the letter, and everything that is not.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn v2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend_from_slice(&[command, family]);
    bytes.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

const IPV4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 1, 0x9c, 0x40, 0x01, 0xbb];

fn with(values: &[u8]) -> Vec<u8> {
    [IPV4, values].concat()
}

fn client() -> Header {
    Header::Client { source: at("192.0.2.1:40000"), destination: at("198.51.100.1:443") }
}

#[test]
fn headers_that_are_to_the_letter() {
    let table: &[(&[u8], Header)] = &[
        (b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n", client()),
        (
            b"PROXY TCP6 2001:db8::1 ::1 1 0\r\n",
            Header::Client { source: at("[2001:db8::1]:1"), destination: at("[::1]:0") },
        ),
        (b"PROXY UNKNOWN\r\n", Header::Own),
        (b"PROXY UNKNOWN ffff:f...f 65535 whatever\r\n", Header::Own),
        (&v2(0x21, 0x11, IPV4), client()),
        (&v2(0x21, 0x11, &with(&[4, 0, 1, 9, 0x30, 0, 0])), client()),
        (&v2(0x20, 0x00, b""), Header::Own),
        (&v2(0x20, 0x31, b"what a local header holds is skipped"), Header::Own),
        (&v2(0x21, 0x00, b""), Header::Own),
    ];
    for (bytes, header) in table {
        assert_eq!(parse(bytes), Ok(Progress::Whole(*header, bytes.len())), "{}", bytes.escape_ascii());
        let more = [bytes, &b"GET / HTTP/1.1\r\n"[..]].concat();
        assert_eq!(parse(&more), Ok(Progress::Whole(*header, bytes.len())));
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]), Ok(Progress::More), "{}", bytes[..cut].escape_ascii());
        }
    }
}

#[test]
fn headers_that_are_not() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    assert_eq!(long.len(), 108);
    let table: &[(&[u8], Malformed)] = &[
        (b"GET / HTTP/1.1\r\n", Malformed::Absent),
        (b"POST / HTTP/1.1\r\n", Malformed::Absent),
        (b"\x16\x03\x01", Malformed::Absent),
        (b"\r\nGET", Malformed::Absent),
        (b"proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n", Malformed::Absent),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", Malformed::Line),
        (b"PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n", Malformed::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1  1 1\r\n", Malformed::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", Malformed::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", Malformed::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n", Malformed::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", Malformed::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n", Malformed::Line),
        (b"PROXY TCP4 1.1.1.01 1.1.1.1 1 1\r\n", Malformed::Line),
        (b"PROXY TCP4 ::1 ::1 1 1\r\n", Malformed::Line),
        (b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", Malformed::Line),
        (b"PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n", Malformed::Line),
        (b"PROXY \xff\r\n", Malformed::Line),
        (long.as_bytes(), Malformed::LineTooLong),
        (&v2(0x22, 0x11, IPV4), Malformed::Command),
        (&v2(0x11, 0x11, IPV4), Malformed::Command),
        (&v2(0x21, 0x12, IPV4), Malformed::Family),
        (&v2(0x21, 0x31, &[0; 216]), Malformed::Family),
        (&v2(0x21, 0x41, IPV4), Malformed::Family),
        (&v2(0x21, 0x21, IPV4), Malformed::TooShort),
        (&v2(0x21, 0x11, &IPV4[..11]), Malformed::TooShort),
        (&v2(0x21, 0x11, &with(&[4, 0])), Malformed::TooShort),
        (&v2(0x21, 0x11, &with(&[4, 0, 2, 1])), Malformed::TooShort),
        (&v2(0x21, 0x11, &with(&[3, 0, 4, 1, 2, 3, 4])), Malformed::Checksum),
        (&v2(0x21, 0x11, &with(&[3, 0, 2, 1, 2])), Malformed::Checksum),
        (&v2(0x21, 0x11, &[0; 4096])[..16], Malformed::TooLong),
    ];
    for (bytes, why) in table {
        assert_eq!(parse(bytes), Err(*why), "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_told_of_tls_is_where_it_belongs() {
    let tls = ToldTls {
        version: "TLSv1.3",
        cipher: "TLS13_AES_128_GCM_SHA256",
        verified: true,
        common_name: Some("alice"),
    };
    let told = Told { alpn: Some(b"h2"), server_name: Some("a.example.com"), tls: Some(tls) };
    let header = write(ProxyVersion::V2, at("192.0.2.1:40000"), at("198.51.100.1:443"), told);
    assert_eq!(parse(&header), Ok(Progress::Whole(client(), header.len())));
    let mut expected = b"\x01\0\x02h2\x02\0\x0da.example.com\x20".to_vec();
    let ssl = b"\x03\0\0\0\0\x21\0\x07TLSv1.3\x22\0\x05alice\x23\0\x18TLS13_AES_128_GCM_SHA256";
    expected.extend_from_slice(&[0, u8::try_from(ssl.len()).unwrap()]);
    expected.extend_from_slice(ssl);
    assert_eq!(header[28..header.len() - 7], expected);
    let mut broken = header;
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(parse(&broken), Err(Malformed::Checksum));
}

#[test]
fn a_header_has_one_family() {
    let header = write(ProxyVersion::V1, at("[::ffff:192.0.2.1]:1"), at("198.51.100.1:2"), Told::default());
    assert_eq!(header, b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n");
    let header = write(ProxyVersion::V1, at("[2001:db8::1]:1"), at("198.51.100.1:2"), Told::default());
    assert_eq!(header, b"PROXY TCP6 2001:db8::1 ::ffff:198.51.100.1 1 2\r\n");
}

#[test]
fn a_probes_header_is_the_proxys_own() {
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let header = version.own_header();
        assert_eq!(parse(header), Ok(Progress::Whole(Header::Own, header.len())));
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        source: (IpAddr, u16),
        destination: (IpAddr, u16),
        binary: bool,
        name in prop::option::of("[a-z.]{0,300}"),
        junk in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let version = if binary { ProxyVersion::V2 } else { ProxyVersion::V1 };
        let told = Told { server_name: name.as_deref(), ..Told::default() };
        let header = write(version, source.into(), destination.into(), told);
        let (source, destination) = of_one_family(source.into(), destination.into());
        let expected = Header::Client { source, destination };
        let bytes = [&header[..], &junk].concat();
        prop_assert_eq!(parse(&bytes), Ok(Progress::Whole(expected, header.len())));
        for cut in 0..header.len() {
            prop_assert_eq!(parse(&header[..cut]), Ok(Progress::More));
        }
    }

    #[test]
    fn no_bytes_are_too_strange(
        start in prop::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [start, &rest].concat();
        match parse(&bytes) {
            Ok(Progress::Whole(_, length)) => prop_assert!(length <= bytes.len() && length <= HEADER_BYTES_MAX),
            Ok(Progress::More) => prop_assert!(bytes.len() < HEADER_BYTES_MAX),
            Err(_) => {}
        }
    }
}
