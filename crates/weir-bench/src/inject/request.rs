//! Requests as bytes, made once before the load begins. Pure.

use super::options::{Options, Reuse, Version};
use super::target::Target;

/// What is asked for one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requests(Vec<Request>);

/// A request for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// After which the connection may go on.
    kept: Vec<u8>,
    /// After which it ends.
    last: Vec<u8>,
}

impl Requests {
    pub(super) fn new(options: &Options) -> Self {
        Self(options.targets.iter().map(|target| Request::new(target, options)).collect())
    }

    /// The bytes of the request for the target of this number, which goes round.
    pub(super) fn bytes(&self, number: usize, is_last: bool) -> &[u8] {
        let request = &self.0[number % self.0.len()];
        if is_last { &request.last } else { &request.kept }
    }
}

impl Request {
    fn new(target: &Target, options: &Options) -> Self {
        let has = |name: &str| options.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let bytes = |connection: Option<&str>| {
            let version = if options.version == Version::Http10 { "1.0" } else { "1.1" };
            let mut text = format!("GET {} HTTP/{version}\r\n", target.path);
            if !has("host") {
                text += &format!("Host: {}\r\n", target.authority());
            }
            if let Some(connection) = connection.filter(|_| !has("connection")) {
                text += &format!("Connection: {connection}\r\n");
            }
            for (name, value) in &options.fields {
                text += &format!("{name}: {value}\r\n");
            }
            (text + "\r\n").into_bytes()
        };
        let (kept, last) = match options.version {
            // The connection ends with the answer unless told otherwise (RFC 1945), and the other way round since.
            Version::Http10 => (Some("keep-alive"), None),
            Version::Http11 | Version::Http2 => (None, Some("close")),
        };
        Self { kept: bytes(kept), last: bytes(last) }
    }
}

/// Whether a request is the last of its connection, which has carried so many.
pub(super) fn is_last(reuse: Reuse, carried: u32) -> bool {
    match reuse {
        Reuse::Close => true,
        Reuse::KeepAlive => false,
        Reuse::Requests(count) => carried + 1 >= count,
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Mode;
    use super::*;
    use std::time::Duration;

    fn texts(version: Version, fields: &[(&str, &str)]) -> (String, String) {
        let target = "http://h:81/?s=1".parse().unwrap();
        let mut options = Options::new(target, Mode::Closed { users: 1 }, Duration::from_secs(1));
        options.version = version;
        options.fields = fields.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let requests = Requests::new(&options);
        let text = |is_last| String::from_utf8(requests.bytes(7, is_last).to_vec()).unwrap();
        (text(false), text(true))
    }

    #[test]
    fn a_request_says_what_its_version_does_not() {
        let old = "GET /?s=1 HTTP/1.0\r\nHost: h:81\r\n";
        let kept = format!("{old}Connection: keep-alive\r\n\r\n");
        assert_eq!(texts(Version::Http10, &[]), (kept, format!("{old}\r\n")));
        let new = "GET /?s=1 HTTP/1.1\r\nHost: h:81\r\n";
        let last = format!("{new}Connection: close\r\n\r\n");
        assert_eq!(texts(Version::Http11, &[]), (format!("{new}\r\n"), last));
    }

    #[test]
    fn fields_are_added_and_go_before_ours() {
        let (kept, last) = texts(Version::Http11, &[("host", "other"), ("X-A", "b"), ("connection", "x")]);
        assert_eq!(kept, "GET /?s=1 HTTP/1.1\r\nhost: other\r\nX-A: b\r\nconnection: x\r\n\r\n");
        assert_eq!(last, kept);
    }

    #[test]
    fn the_last_request_of_a_connection_is_known() {
        assert!(is_last(Reuse::Close, 0) && !is_last(Reuse::KeepAlive, 1 << 20));
        let all = [0, 1, 2].map(|carried| is_last(Reuse::Requests(3), carried));
        assert_eq!(all, [false, false, true]);
    }
}
