//! The answer to a request of HTTP/1, as it comes: where it ends, and whether it is whole. Pure.
//!
//! A target mostly sends the same head again and again, so the last one is kept, with what it meant: that one is
//! compared, not read. Bodies are counted, never stored.

use crate::net::chunked::Chunked;

/// The longest head, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The most fields of a head.
const FIELDS_MAX: usize = 128;

/// Something that is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// An answer, as far as it has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    state: State,
    /// The start of a head that comes in pieces.
    head: Vec<u8>,
    status: u16,
    body_bytes: u64,
    is_kept: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing has come.
    #[default]
    Nothing,
    Head,
    Length(u64),
    Chunks(Chunked),
    UntilEnd,
    Done,
}

/// What the end of the connection makes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is whole.
    Whole,
    /// Something is missing.
    Short,
    /// There is none.
    Nothing,
}

/// The last head, and what it meant.
#[derive(Debug, Default)]
pub(super) struct Memo {
    head: Vec<u8>,
    meaning: Option<Meaning>,
}

#[derive(Debug, Clone, Copy)]
struct Meaning {
    head_bytes: usize,
    status: u16,
    state: State,
    is_kept: bool,
}

impl Answer {
    /// Another one is waited for.
    pub(super) fn reset(&mut self) {
        self.state = State::Nothing;
        self.head.clear();
        self.body_bytes = 0;
    }

    /// Whether it is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Done
    }

    /// Its status.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection goes on after it, as far as the target says.
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Bytes of its body that have come.
    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// How many bytes can come without having to be looked at.
    pub(super) fn blind_bytes(&self) -> u64 {
        match self.state {
            State::Length(left) => left,
            State::UntilEnd => u64::MAX,
            State::Nothing | State::Head | State::Chunks(_) | State::Done => 0,
        }
    }

    /// So many of these have come.
    pub(super) fn take_blindly(&mut self, count: u64) {
        self.body_bytes += count;
        if let State::Length(left) = &mut self.state {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.state = State::Done;
            }
        }
    }

    /// Takes what has come; how much of it belongs to this answer.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn take(&mut self, bytes: &[u8], memo: &mut Memo) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            let rest = &bytes[at..];
            at += match &mut self.state {
                State::Nothing | State::Head => self.take_head(rest, memo)?,
                State::Chunks(chunked) => {
                    let (used, body) = chunked.take(rest).map_err(|_| Malformed)?;
                    self.body_bytes += body;
                    if chunked.is_done() {
                        self.state = State::Done;
                    }
                    used
                }
                State::Length(left) => {
                    let used = (rest.len() as u64).min(*left);
                    self.take_blindly(used);
                    usize::try_from(used).unwrap_or(rest.len())
                }
                State::UntilEnd => {
                    self.take_blindly(rest.len() as u64);
                    rest.len()
                }
                State::Done => 0,
            };
        }
        Ok(at)
    }

    /// The connection has ended.
    pub(super) fn end(&mut self) -> Ended {
        match self.state {
            State::Nothing => Ended::Nothing,
            State::Head | State::Length(_) | State::Chunks(_) => Ended::Short,
            State::UntilEnd | State::Done => {
                self.state = State::Done;
                self.is_kept = false;
                Ended::Whole
            }
        }
    }

    fn take_head(&mut self, bytes: &[u8], memo: &mut Memo) -> Result<usize, Malformed> {
        if self.head.is_empty() {
            return match meaning(bytes, memo)? {
                Some(meaning) => Ok(self.mean(meaning)),
                None => {
                    self.head.extend_from_slice(bytes);
                    self.state = State::Head;
                    Ok(bytes.len())
                }
            };
        }
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        match meaning(&self.head, memo)? {
            Some(meaning) => {
                self.head.clear();
                Ok(self.mean(meaning).saturating_sub(before))
            }
            None if self.head.len() > HEAD_BYTES_MAX => Err(Malformed),
            None => Ok(bytes.len()),
        }
    }

    fn mean(&mut self, meaning: Meaning) -> usize {
        (self.status, self.state, self.is_kept) = (meaning.status, meaning.state, meaning.is_kept);
        meaning.head_bytes
    }
}

/// What the head at the start of `bytes` means; none if it is not whole.
fn meaning(bytes: &[u8], memo: &mut Memo) -> Result<Option<Meaning>, Malformed> {
    if let Some(meaning) = memo.meaning.filter(|_| bytes.starts_with(&memo.head)) {
        return Ok(Some(meaning));
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let head_bytes = match head.parse(bytes) {
        Ok(httparse::Status::Complete(count)) => count,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed),
    };
    let (Some(status), Some(version)) = (head.code, head.version) else { return Err(Malformed) };
    let mut length = None;
    let mut is_chunked = false;
    let mut is_kept = version == 1;
    for field in head.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let value =
                std::str::from_utf8(field.value.trim_ascii()).ok().and_then(|value| value.parse().ok());
            length = Some(value.ok_or(Malformed)?);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked = true;
        } else if field.name.eq_ignore_ascii_case("connection") {
            let mut words = field.value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            if words.clone().any(|word| word.eq_ignore_ascii_case(b"close")) {
                is_kept = false;
            } else if words.any(|word| word.eq_ignore_ascii_case(b"keep-alive")) {
                is_kept = true;
            }
        }
    }
    // RFC 9112, section 6.3.
    let state = match (status, is_chunked, length) {
        // What comes before the answer says nothing of it.
        (100..=199, _, _) => State::Head,
        (204 | 304, _, _) => State::Done,
        (_, true, _) => State::Chunks(Chunked::default()),
        (_, false, Some(0)) => State::Done,
        (_, false, Some(length)) => State::Length(length),
        (_, false, None) => State::UntilEnd,
    };
    let meaning = Meaning { head_bytes, status, state, is_kept: is_kept && state != State::UntilEnd };
    memo.head.clear();
    memo.head.extend_from_slice(&bytes[..head_bytes]);
    memo.meaning = Some(meaning);
    Ok(Some(meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8], cut: usize) -> (Answer, usize) {
        let (mut answer, mut memo) = (Answer::default(), Memo::default());
        let mut used = 0;
        for piece in [&bytes[..cut], &bytes[cut..]] {
            used += answer.take(piece, &mut memo).unwrap();
        }
        (answer, used)
    }

    #[test]
    fn answers_end_where_they_say_however_they_come() {
        for (text, body, kept) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 0, false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab", 2, true),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", 2, false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 3, true),
            ("HTTP/1.1 204 No Content\r\n\r\n", 0, true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 1, true),
        ] {
            for cut in 0..=text.len() {
                let (answer, used) = taken(text.as_bytes(), cut);
                assert!(answer.is_whole(), "{text} cut at {cut}");
                assert_eq!((used, answer.body_bytes(), answer.is_kept()), (text.len(), body, kept), "{text}");
            }
        }
    }

    #[test]
    fn what_follows_is_not_taken() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1";
        assert_eq!(taken(text, 10).1, text.len() - 8);
    }

    #[test]
    fn the_end_of_the_connection_ends_an_answer_or_cuts_it_off() {
        for (text, ended) in [
            ("", Ended::Nothing),
            ("HTTP/1.1 20", Ended::Short),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", Ended::Short),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", Ended::Short),
            ("HTTP/1.1 200 OK\r\n\r\nhell", Ended::Whole),
        ] {
            assert_eq!(taken(text.as_bytes(), 0).0.end(), ended, "{text}");
        }
    }

    #[test]
    fn a_known_head_is_not_mistaken_for_another() {
        let (mut answer, mut memo) = (Answer::default(), Memo::default());
        for (text, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, 1),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb", 200, 1),
            ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nabcdefghijkl", 200, 12),
            ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 503, 0),
        ] {
            answer.reset();
            assert_eq!(answer.take(text.as_bytes(), &mut memo), Ok(text.len()));
            assert!(answer.is_whole());
            assert_eq!((answer.status(), answer.body_bytes()), (status, body));
        }
    }

    #[test]
    fn large_bodies_need_not_be_looked_at() {
        let (mut answer, mut memo) = (Answer::default(), Memo::default());
        answer.take(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", &mut memo).unwrap();
        assert_eq!(answer.blind_bytes(), 97);
        answer.take_blindly(97);
        assert!(answer.is_whole() && answer.body_bytes() == 100 && answer.blind_bytes() == 0);
    }

    #[test]
    fn what_is_no_http_is_refused() {
        for wrong in [
            &b"This is no HTTP.\r\n\r\n"[..],
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
        ] {
            let (mut answer, mut memo) = (Answer::default(), Memo::default());
            assert_eq!(answer.take(wrong, &mut memo), Err(Malformed), "{}", wrong.escape_ascii());
        }
        let (mut answer, mut memo) = (Answer::default(), Memo::default());
        let endless = [&b"HTTP/1.1 200 OK\r\nA: "[..], &[b'a'; 1000]].concat();
        let mut refused = answer.take(&endless, &mut memo).is_err();
        for _ in 0..100 {
            refused = refused || answer.take(&[b'a'; 1000], &mut memo).is_err();
        }
        assert!(refused);
    }
}
