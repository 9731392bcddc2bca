//! An answer as bytes: what is sent as it stands, and how many bytes of filler follow. Pure.
//!
//! The answer to a plain wish is made once and sent again and again ([`Cache`]), so that a request costs the origin
//! its system calls and little more.

use super::request::Request;
use super::wish::{Fault, Wish};

/// How much of a body stands in an answer's own bytes, so that it goes out with the head.
const TOGETHER_BYTES: u64 = 64 << 10;

/// How large chunks are.
const CHUNK_BYTES: u64 = 16 << 10;

/// How many answers are kept.
const KEPT: usize = 16;

/// What a body is made of.
pub(super) static FILLER: [u8; FILLER_BYTES] = filler();

/// How much filler there is.
pub(super) const FILLER_BYTES: usize = 256 << 10;

const LINE: &[u8; 50] = b"This body is nothing but filler, from weir bench.\n";

const fn filler() -> [u8; FILLER_BYTES] {
    let mut bytes = [0; FILLER_BYTES];
    let mut at = 0;
    while at < FILLER_BYTES {
        bytes[at] = LINE[at % LINE.len()];
        at += 1;
    }
    bytes
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// What is sent as it stands.
    pub(super) bytes: Vec<u8>,
    /// How many bytes of filler follow.
    pub(super) filler: u64,
    /// What happens after that.
    pub(super) then: Then,
}

/// What happens after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The next request.
    Next,
    /// The end of the connection.
    End,
    /// Its reset.
    Reset,
    /// Nothing: the client waits for more.
    Hang,
}

/// Makes the answer of `size` bytes that a wish is for.
pub(super) fn make(wish: &Wish, size: u64, request: &Request) -> Answer {
    match wish.fault {
        Some(Fault::Hang) => return Answer { bytes: Vec::new(), filler: 0, then: Then::Hang },
        Some(Fault::End) => return Answer { bytes: Vec::new(), filler: 0, then: Then::End },
        Some(Fault::Garbage) => {
            return Answer { bytes: b"This is no HTTP.\r\n\r\n".to_vec(), filler: 0, then: Then::End };
        }
        Some(Fault::Short | Fault::Reset) | None => {}
    }
    let has_body = wish.status != 204 && wish.status != 304;
    let is_chunked = wish.is_chunked && has_body && !request.is_old;
    // A body of unknown length ends with the connection where there are no chunks.
    let is_endless = wish.is_chunked && has_body && request.is_old;
    let is_kept = request.is_kept && !wish.is_last && !is_endless && wish.fault.is_none();
    let mut bytes = head(wish.status, is_kept, request);
    if is_chunked {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    } else if has_body && !is_endless {
        bytes.extend_from_slice(format!("Content-Length: {size}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
    let sent = match wish.fault {
        Some(_) => size / 2,
        None => size,
    };
    let then = match (wish.fault, is_kept) {
        (Some(Fault::Reset), _) => Then::Reset,
        (_, false) => Then::End,
        (_, true) => Then::Next,
    };
    if request.is_head || !has_body {
        return Answer { bytes, filler: 0, then };
    }
    if is_chunked {
        chunks(&mut bytes, sent, wish.fault.is_none());
        return Answer { bytes, filler: 0, then };
    }
    let together = usize::try_from(sent.min(TOGETHER_BYTES)).unwrap_or(0);
    bytes.extend_from_slice(&FILLER[..together]);
    Answer { bytes, filler: sent - together as u64, then }
}

/// An answer with this text, after which the connection ends if `is_last`.
pub(super) fn text(status: u16, content_type: &str, text: &str, request: Option<&Request>) -> Answer {
    let is_kept = request.is_some_and(|request| request.is_kept);
    let mut bytes = match request {
        Some(request) => head(status, is_kept, request),
        None => format!("HTTP/1.1 {status} {}\r\nConnection: close\r\n", reason(status)).into_bytes(),
    };
    let is_head = request.is_some_and(|request| request.is_head);
    let fields = format!("Content-Length: {}\r\nContent-Type: {content_type}\r\n\r\n", text.len());
    bytes.extend_from_slice(fields.as_bytes());
    if !is_head {
        bytes.extend_from_slice(text.as_bytes());
    }
    Answer { bytes, filler: 0, then: if is_kept { Then::Next } else { Then::End } }
}

fn head(status: u16, is_kept: bool, request: &Request) -> Vec<u8> {
    let version = if request.is_old { 0 } else { 1 };
    let connection = match (request.is_old, is_kept) {
        (false, true) | (true, false) => "",
        (false, false) => "Connection: close\r\n",
        (true, true) => "Connection: keep-alive\r\n",
    };
    format!("HTTP/1.{version} {status} {}\r\n{connection}", reason(status)).into_bytes()
}

fn reason(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("")
}

/// A body in chunks, all of it in memory: what is asked for in chunks is asked for because of the chunks.
fn chunks(bytes: &mut Vec<u8>, size: u64, is_whole: bool) {
    let mut left = size.min(CHUNKED_BYTES_MAX);
    while left > 0 {
        let now = left.min(CHUNK_BYTES);
        bytes.extend_from_slice(format!("{now:x}\r\n").as_bytes());
        bytes.extend_from_slice(&FILLER[..usize::try_from(now).unwrap_or(0)]);
        bytes.extend_from_slice(b"\r\n");
        left -= now;
    }
    if is_whole {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
}

/// The largest body in chunks, which is made in memory.
pub(super) const CHUNKED_BYTES_MAX: u64 = 16 << 20;

/// The answers to the last plain wishes.
#[derive(Debug, Default)]
pub(super) struct Cache(Vec<(Key, std::rc::Rc<Answer>)>);

/// What an answer depends on: the target, the version, the method, and whether the connection is kept.
#[derive(Debug, PartialEq, Eq)]
struct Key(Vec<u8>, bool, bool, bool);

impl Cache {
    /// The answer to this request, if it is kept.
    pub(super) fn get(&mut self, target: &[u8], request: &Request) -> Option<std::rc::Rc<Answer>> {
        let is_it = |key: &Key| {
            key.0 == target && (key.1, key.2, key.3) == (request.is_old, request.is_head, request.is_kept)
        };
        let at = self.0.iter().position(|(key, _)| is_it(key))?;
        // The usual ones come to the front.
        if at > 0 {
            self.0.swap(at, at - 1);
        }
        self.0.get(at.saturating_sub(1)).map(|(_, answer)| answer.clone())
    }

    /// Keeps an answer; the least used one may have to go.
    pub(super) fn put(&mut self, target: &[u8], request: &Request, answer: std::rc::Rc<Answer>) {
        self.0.truncate(KEPT - 1);
        let key = Key(target.to_vec(), request.is_old, request.is_head, request.is_kept);
        self.0.push((key, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{request, wish};
    use super::*;
    use std::rc::Rc;

    fn asked(text: &str) -> (Request, Answer) {
        let request = request::read(text.as_bytes()).unwrap().unwrap();
        let wish = wish::read(&text[request.target.clone()]).unwrap();
        let answer = make(&wish, *wish.size.start(), &request);
        (request, answer)
    }

    #[test]
    fn an_answer_has_its_length_and_says_how_the_connection_goes_on() {
        let (_, answer) = asked("GET /?s=5 HTTP/1.1\r\n\r\n");
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nThis "), "{text}");
        assert_eq!((answer.filler, answer.then), (0, Then::Next));
        let (_, answer) = asked("GET /?s=1m&r=404 HTTP/1.0\r\n\r\n");
        assert!(answer.bytes.starts_with(b"HTTP/1.0 404 Not Found\r\nContent-Length: 1048576\r\n"));
        assert_eq!((answer.filler, answer.then), ((1 << 20) - TOGETHER_BYTES, Then::End));
        let (_, answer) = asked("GET /?s=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(answer.bytes.starts_with(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"));
    }

    #[test]
    fn a_head_alone_is_one() {
        for text in ["HEAD /?s=1m HTTP/1.1\r\n\r\n", "GET /?s=1m&r=304 HTTP/1.1\r\n\r\n"] {
            let (_, answer) = asked(text);
            assert!(answer.bytes.ends_with(b"\r\n\r\n"), "{text}");
            assert_eq!((answer.filler, answer.then), (0, Then::Next));
        }
    }

    #[test]
    fn chunks_are_whole_unless_they_should_not_be() {
        let (_, answer) = asked("GET /?s=20000&k=1 HTTP/1.1\r\n\r\n");
        let at = answer.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let mut chunked = crate::net::chunked::Chunked::default();
        assert_eq!(chunked.take(&answer.bytes[at..]).unwrap().1, 20_000);
        assert!(chunked.is_done());
        let (_, answer) = asked("GET /?s=20000&k=1&fail=short HTTP/1.1\r\n\r\n");
        assert!(!answer.bytes.ends_with(b"0\r\n\r\n") && answer.then == Then::End);
        // Who doesn't know chunks gets the end of the connection.
        let (_, answer) = asked("GET /?s=9&k=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("Length") && answer.then == Then::End);
    }

    #[test]
    fn faults_are_as_asked() {
        for (kind, then, filler) in [
            ("hang", Then::Hang, 0),
            ("end", Then::End, 0),
            ("garbage", Then::End, 0),
            ("reset", Then::Reset, 512 * 1024 - TOGETHER_BYTES),
            ("short", Then::End, 512 * 1024 - TOGETHER_BYTES),
        ] {
            let (_, answer) = asked(&format!("GET /?s=1m&fail={kind} HTTP/1.1\r\n\r\n"));
            assert_eq!((answer.then, answer.filler), (then, filler), "{kind}");
        }
    }

    #[test]
    fn kept_answers_are_told_apart_and_bounded() {
        let mut cache = Cache::default();
        for size in 0..100 {
            let (request, answer) = asked(&format!("GET /?s={size} HTTP/1.1\r\n\r\n"));
            cache.put(format!("/?s={size}").as_bytes(), &request, Rc::new(answer));
        }
        assert_eq!(cache.0.len(), KEPT);
        let (request, answer) = asked("GET /?s=99 HTTP/1.1\r\n\r\n");
        for _ in 0..3 {
            assert_eq!(*cache.get(b"/?s=99", &request).unwrap(), answer);
        }
        let (old, _) = asked("GET /?s=99 HTTP/1.0\r\n\r\n");
        assert!(cache.get(b"/?s=99", &old).is_none() && cache.get(b"/?s=101", &request).is_none());
    }
}
