//! The upstream side: bytes of a server.

use http::Method;

use super::body::Body;
use super::chunked::Chunked;
use super::fields::{self, Framing};
use super::lines::{Line, Lines};
use super::status_line::{self, StatusLine};
use super::{Advance, HeadLimits, Part, Progress, Violation};
use crate::fields::FieldLines;

/// 1xx responses before a final one. Real servers send one or two.
const INTERIM_RESPONSES_MAX: u8 = 16;

/// Follows the responses of one connection. See the [module](super) for the protocol of use.
#[derive(Debug)]
pub struct ResponseFraming {
    limits: HeadLimits,
    expected: Option<Expected>,
    state: State,
    failed: Option<Violation>,
    /// Of the present head, or of the one that passed last.
    list: FieldLines,
}

/// What the request says about its response.
#[derive(Debug, Clone, Copy)]
struct Expected {
    kind: RequestKind,
    upgrade: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    Head,
    Connect,
    Other,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Body(Body),
    Tunnel,
}

impl ResponseFraming {
    /// A guard at the start of a connection.
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits: limits.capped(),
            expected: None,
            state: State::default(),
            failed: None,
            list: FieldLines::default(),
        }
    }

    /// A request is on its way: call before its first byte is written. One at a time.
    pub fn expect(&mut self, method: &Method) {
        let kind = match method.as_str() {
            "HEAD" => RequestKind::Head,
            "CONNECT" => RequestKind::Connect,
            _other => RequestKind::Other,
        };
        self.expected = Some(Expected { kind, upgrade: false });
    }

    /// That request asks for an upgrade, so a 101 may answer it.
    pub fn expect_upgrade(&mut self) {
        if let Some(expected) = &mut self.expected {
            expected.upgrade = true;
        }
    }

    /// Where the field lines of the head are that has just passed, from the first byte that passed.
    pub fn take_fields(&mut self) -> FieldLines {
        std::mem::take(&mut self.list)
    }

    /// Judges `bytes`: those that were not passed yet, with what arrived since appended.
    ///
    /// # Errors
    /// What the server did wrong; the same again on every later call. None of `bytes` may go on: close the
    /// connection; the client gets a 502 if it has no head yet.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Advance, Violation> {
        let result = match self.failed {
            Some(violation) => Err(violation),
            None => self.step(bytes),
        };
        self.failed = result.err();
        result
    }

    /// Whether the last response ended and nothing came after it. A connection where this is false must not
    /// be reused.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        match &self.state {
            State::Head(head) => head.is_untouched() && self.expected.is_none() && self.failed.is_none(),
            State::Body(_) | State::Tunnel => false,
        }
    }

    /// The server closed its side: the end of a body that has no other, or nothing in particular before the
    /// first byte of a response (the caller knows whether one was due).
    ///
    /// # Errors
    /// [`Violation::Truncated`] inside a response; between an interim and the final one, too.
    pub fn eof(&mut self) -> Result<(), Violation> {
        let result = match &self.state {
            State::Head(head) if head.is_untouched() => Ok(()),
            State::Body(Body::UntilClose) | State::Tunnel => Ok(()),
            State::Head(_) | State::Body(_) => Err(Violation::Truncated),
        };
        self.failed = self.failed.or(result.err());
        result
    }

    fn step(&mut self, bytes: &[u8]) -> Result<Advance, Violation> {
        let (pass, part) = match &mut self.state {
            State::Head(head) => {
                let Some(expected) = self.expected else {
                    return refuse_unsolicited(bytes);
                };
                let Some(line) = head.advance(bytes, &self.limits, &mut self.list)? else {
                    return Ok(Advance { pass: 0, part: Part::Nothing, progress: Progress::Head });
                };
                let passed = (head.lines.consumed(), Part::Head { at: 0 });
                self.state = after_head(head, line, expected)?;
                passed
            }
            State::Body(body) => body.advance(bytes, &self.limits)?,
            State::Tunnel => (bytes.len(), Part::Tunnel),
        };
        let progress = match &self.state {
            State::Head(_) => Progress::Head, // that one was interim
            State::Body(body) if body.is_done() => Progress::MessageComplete,
            State::Body(_) => Progress::Body,
            State::Tunnel => Progress::Tunnel,
        };
        if progress == Progress::MessageComplete {
            self.state = State::default();
        }
        if matches!(progress, Progress::MessageComplete | Progress::Tunnel) {
            self.expected = None;
        }
        Ok(Advance { pass, part, progress })
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

fn refuse_unsolicited(bytes: &[u8]) -> Result<Advance, Violation> {
    if bytes.is_empty() {
        Ok(Advance { pass: 0, part: Part::Nothing, progress: Progress::Head })
    } else {
        Err(Violation::UnsolicitedBytes)
    }
}

/// RFC 9112 section 6.3, in its order.
fn after_head(head: &Head, line: StatusLine, expected: Expected) -> Result<State, Violation> {
    let connect = expected.kind == RequestKind::Connect;
    match line.status {
        101 if expected.upgrade => return Ok(State::Tunnel),
        101 => return Err(Violation::UpgradeUnasked),
        100..200 => return head.next_after_interim().map(State::Head),
        204 | 304 => return Ok(State::Body(Body::Length(0))),
        200..300 if connect => return Ok(State::Tunnel),
        _final_status => {}
    }
    let body = if expected.kind == RequestKind::Head {
        Body::Length(0)
    } else if head.framing.chunked {
        Body::Chunked(Chunked::new(u64::MAX))
    } else {
        head.framing.content_length.map_or(Body::UntilClose, Body::Length)
    };
    Ok(State::Body(body))
}

/// A response head under way, and the interim ones before it.
#[derive(Debug, Default)]
struct Head {
    lines: Lines,
    line: Option<StatusLine>,
    fields: usize,
    framing: Framing,
    interim_seen: u8,
}

impl Head {
    fn is_untouched(&self) -> bool {
        self.line.is_none() && self.lines.between() && self.interim_seen == 0
    }

    /// The status line, once the head is whole and good.
    fn advance(
        &mut self,
        head: &[u8],
        limits: &HeadLimits,
        list: &mut FieldLines,
    ) -> Result<Option<StatusLine>, Violation> {
        if self.line.is_none() {
            let window = &head[..head.len().min(limits.head_bytes)];
            status_line::check_start(self.lines.unfinished(window))?;
        }
        while let Some(line) = self.lines.next(head, limits.head_bytes)? {
            match self.line {
                None => self.line = Some(status_line::parse(line.bytes)?),
                Some(status_line) if line.bytes.is_empty() => return Ok(Some(status_line)),
                Some(status_line) => self.read_field(line, status_line, limits, list)?,
            }
        }
        Ok(None)
    }

    #[inline]
    fn read_field(
        &mut self,
        line: Line<'_>,
        status: StatusLine,
        limits: &HeadLimits,
        list: &mut FieldLines,
    ) -> Result<(), Violation> {
        if self.fields == 0 {
            *list = FieldLines::default(); // nobody took those of the head before
        }
        self.fields += 1;
        let field = fields::parse(line, self.fields, limits)?;
        self.framing.observe_length(&field, status.http10)?;
        field.note(list);
        Ok(())
    }

    fn next_after_interim(&self) -> Result<Self, Violation> {
        let interim_seen = self.interim_seen + 1;
        if interim_seen > INTERIM_RESPONSES_MAX {
            return Err(Violation::InterimTooMany);
        }
        Ok(Self { interim_seen, ..Self::default() })
    }
}
