//! The downstream side: bytes of a client.

use super::body::Body;
use super::chunked::Chunked;
use super::fields::{self, Framing};
use super::lines::{Line, Lines};
use super::request_line::{self, RequestLine};
use super::{Advance, HeadLimits, Part, Progress, Violation, host};
use crate::fields::FieldLines;

/// Follows the requests of one connection. See the [module](super) for the protocol of use.
#[derive(Debug)]
pub struct RequestFraming {
    limits: HeadLimits,
    body_bytes_max: u64,
    state: State,
    failed: Option<Violation>,
    /// Of the present head, or of the one that passed last.
    list: FieldLines,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Body(Body),
    Tunnel,
}

impl RequestFraming {
    /// A guard at the start of a connection. `body_bytes_max` is for one request: its Content-Length, or the
    /// data of all its chunks.
    #[must_use]
    pub fn new(limits: HeadLimits, body_bytes_max: u64) -> Self {
        Self {
            limits: limits.capped(),
            body_bytes_max,
            state: State::default(),
            failed: None,
            list: FieldLines::default(),
        }
    }

    /// Other limits from the next byte on.
    pub fn set_limits(&mut self, limits: HeadLimits, body_bytes_max: u64) {
        self.limits = limits.capped();
        self.body_bytes_max = body_bytes_max;
    }

    /// Where the field lines of the head are that has just passed, from the first byte that passed.
    pub fn take_fields(&mut self) -> FieldLines {
        std::mem::take(&mut self.list)
    }

    /// Judges `bytes`: those that were not passed yet, with what arrived since appended.
    ///
    /// # Errors
    /// What the client did wrong; the same again on every later call. None of `bytes` may go on: answer with
    /// [`Violation::status`] and close.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Advance, Violation> {
        let result = match self.failed {
            Some(violation) => Err(violation),
            None => self.step(bytes),
        };
        self.failed = result.err();
        result
    }

    /// Whether no byte of an unfinished request was seen: the connection may be parked, or closed without
    /// loss.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        match &self.state {
            State::Head(head) => head.is_untouched() && self.failed.is_none(),
            State::Body(_) | State::Tunnel => false,
        }
    }

    /// The client closed its side.
    ///
    /// # Errors
    /// [`Violation::Truncated`] inside a request.
    pub fn eof(&self) -> Result<(), Violation> {
        match &self.state {
            State::Head(head) if head.is_untouched() => Ok(()),
            State::Tunnel => Ok(()),
            State::Head(_) | State::Body(_) => Err(Violation::Truncated),
        }
    }

    /// A 101 or a 2xx to CONNECT was answered: whatever comes after the request passes unread.
    pub fn tunnel(&mut self) {
        self.state = State::Tunnel;
    }

    fn step(&mut self, bytes: &[u8]) -> Result<Advance, Violation> {
        let (pass, part) = match &mut self.state {
            State::Head(head) => {
                let Some(body) = head.advance(bytes, &self.limits, self.body_bytes_max, &mut self.list)?
                else {
                    return Ok(Advance { pass: 0, part: Part::Nothing, progress: Progress::Head });
                };
                let passed = (head.lines.consumed(), Part::Head { at: head.empty_line_bytes });
                self.state = State::Body(body);
                passed
            }
            State::Body(body) => body.advance(bytes, &self.limits)?,
            State::Tunnel => {
                return Ok(Advance { pass: bytes.len(), part: Part::Tunnel, progress: Progress::Tunnel });
            }
        };
        let ended = matches!(&self.state, State::Body(body) if body.is_done());
        if ended {
            self.state = State::default();
        }
        Ok(Advance { pass, part, progress: if ended { Progress::MessageComplete } else { Progress::Body } })
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// A request head under way. Nothing of it passes before it is whole.
#[derive(Debug, Default)]
struct Head {
    lines: Lines,
    /// Of the empty line before the head, if there was one.
    empty_line_bytes: usize,
    line: Option<RequestLine>,
    fields: usize,
    framing: Framing,
}

impl Head {
    /// A CRLF before the request line is not part of it.
    fn is_untouched(&self) -> bool {
        self.line.is_none() && self.lines.between()
    }

    /// The body that follows, once the head is whole and good.
    fn advance(
        &mut self,
        head: &[u8],
        limits: &HeadLimits,
        body_bytes_max: u64,
        list: &mut FieldLines,
    ) -> Result<Option<Body>, Violation> {
        if self.line.is_none() && !self.read_request_line(head, limits)? {
            return Ok(None);
        }
        while let Some(line) = self.lines.next(head, limits.head_bytes)? {
            if line.bytes.is_empty() {
                return self.finish(head, body_bytes_max).map(Some);
            }
            self.read_field(line, limits, list)?;
        }
        Ok(None)
    }

    fn read_request_line(&mut self, head: &[u8], limits: &HeadLimits) -> Result<bool, Violation> {
        // RFC 9112 section 2.2: old clients send a CRLF after a body; one is ignored
        if self.lines.consumed() == 0 {
            self.lines.skip_crlf(head);
            self.empty_line_bytes = self.lines.consumed();
        }
        let window = &head[..head.len().min(limits.head_bytes)];
        match (self.lines.unfinished(window), self.lines.consumed()) {
            ([b'\r'], 0) => return self.lines.next(head, limits.head_bytes).map(|_none| false),
            ([b'\n', ..], _) => return Err(Violation::BareLf),
            ([b'\r', ..], 1..) => return Err(Violation::BlankLines),
            ([..], _) => {}
        }
        let method_end = request_line::check_start(self.lines.unfinished(window), limits)?;
        let (Some(line), Some(method_end)) = (self.lines.next(head, limits.head_bytes)?, method_end) else {
            return Ok(false);
        };
        self.line = Some(request_line::parse(line, method_end)?);
        Ok(true)
    }

    #[inline]
    fn read_field(
        &mut self,
        line: Line<'_>,
        limits: &HeadLimits,
        list: &mut FieldLines,
    ) -> Result<(), Violation> {
        if self.fields == 0 {
            *list = FieldLines::default(); // nobody took those of the head before
        }
        self.fields += 1;
        let field = fields::parse(line, self.fields, limits)?;
        self.framing.observe_request(&field, self.is_http10())?;
        field.note(list);
        Ok(())
    }

    fn is_http10(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.http10)
    }

    /// What can only be judged with the whole head there.
    fn finish(&self, head: &[u8], body_bytes_max: u64) -> Result<Body, Violation> {
        let host = self.framing.host.clone().map(|at| &head[at]);
        if host.is_none() && !self.is_http10() {
            return Err(Violation::HostMissing);
        }
        if let Some(authority) = self.line.as_ref().and_then(|line| line.authority.as_ref()) {
            // RFC 9112 section 3.2.2 has a proxy go by the target alone; the servers behind one don't all
            let named = host::parse(&head[authority.at.clone()]);
            let agree = |host| {
                named.zip(host::parse(host)).is_some_and(|(a, b)| a.same_as(&b, authority.ports_default))
            };
            if !host.is_none_or(agree) {
                return Err(Violation::HostMismatch);
            }
        }
        let length = self.framing.content_length.unwrap_or(0);
        let connect = self.line.as_ref().is_some_and(|line| line.connect);
        // RFC 9110 section 9.3.6: it has none, and what follows a CONNECT may be a tunnel's
        if connect && (self.framing.chunked || length > 0) {
            return Err(Violation::ConnectWithBody);
        }
        if self.framing.chunked {
            return Ok(Body::Chunked(Chunked::new(body_bytes_max)));
        }
        if length > body_bytes_max {
            return Err(Violation::BodyTooLarge);
        }
        Ok(Body::Length(length))
    }
}
