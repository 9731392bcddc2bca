//! A client of HTTP/2 that sends the frames it is given, however wrong they are, and shows those that come back.
//!
//! Its heads are literals without compression; of the heads that come it reads the status alone, which is all that
//! the tests of frames want to know.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::wire::Wire;

/// One connection of a client.
#[derive(Debug)]
pub struct Http2 {
    wire: Wire,
    /// The code of the last GOAWAY.
    go_away: Option<u32>,
    /// Frames that were read while those of another stream were wanted.
    kept: VecDeque<Frame>,
}

/// A frame (RFC 9113 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// See [`kind`].
    pub kind: u8,
    /// See [`flags`].
    pub flags: u8,
    /// The stream's identifier; 0 for the connection.
    pub stream: u32,
    /// What follows.
    pub payload: Vec<u8>,
}

/// Types of frames, RFC 9113 section 6.
#[expect(missing_docs, reason = "the names are the RFC's")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
#[expect(missing_docs, reason = "the names are the RFC's")]
pub mod flags {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

/// Settings, RFC 9113 section 6.5.2.
#[expect(missing_docs, reason = "the names are the RFC's")]
pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// Error codes, RFC 9113 section 7.
#[expect(missing_docs, reason = "the names are the RFC's")]
pub mod reason {
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const INTERNAL_ERROR: u32 = 2;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
    pub const REFUSED_STREAM: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION_ERROR: u32 = 9;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Frame {
    /// A frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// A whole head with these fields; `end`: that is all of the request.
    pub fn headers(stream: u32, end: bool, fields: &[(&str, &str)]) -> Self {
        let flags = flags::END_HEADERS | if end { flags::END_STREAM } else { 0 };
        Self::new(kind::HEADERS, flags, stream, block(fields))
    }

    /// A whole request without a body.
    pub fn get(stream: u32, path: &str) -> Self {
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")];
        Self::headers(stream, true, &fields)
    }

    /// The head of a request with a body.
    pub fn post(stream: u32, path: &str) -> Self {
        let fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a")];
        Self::headers(stream, false, &fields)
    }

    /// A piece of a body; `end`: the last.
    pub fn data(stream: u32, end: bool, payload: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::DATA, if end { flags::END_STREAM } else { 0 }, stream, payload)
    }

    /// These settings.
    pub fn settings(settings: &[(u16, u32)]) -> Self {
        let bytes = settings.iter().flat_map(|(name, value)| {
            name.to_be_bytes().into_iter().chain(value.to_be_bytes()).collect::<Vec<u8>>()
        });
        Self::new(kind::SETTINGS, 0, 0, bytes.collect::<Vec<u8>>())
    }

    /// Room for so many bytes more.
    pub fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    /// The end of a stream.
    pub fn reset(stream: u32, reason: u32) -> Self {
        Self::new(kind::RST_STREAM, 0, stream, reason.to_be_bytes())
    }

    /// Asks for a sign of life.
    pub fn ping(payload: [u8; 8]) -> Self {
        Self::new(kind::PING, 0, 0, payload)
    }

    /// As it lies on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], self.kind, self.flags];
        bytes.extend_from_slice(&self.stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// Whether it has this flag.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The number at this place of its payload.
    pub fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The status of a head of an answer.
    ///
    /// # Panics
    /// When it does not begin with one.
    #[track_caller]
    pub fn status(&self) -> u16 {
        // What may come before: the size of the table, which this client sets to 0.
        let block = &self.payload[self.payload.iter().take_while(|&&byte| byte & 0xe0 == 0x20).count()..];
        match block {
            [index @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)],
            [0x08 | 0x18 | 0x48, length, value @ ..] if length & 0x80 == 0 => {
                std::str::from_utf8(&value[..usize::from(*length)]).unwrap().parse().unwrap()
            }
            [0x08 | 0x18 | 0x48, length, value @ ..] => huffman_digits(&value[..usize::from(length & 0x7f)]),
            other => panic!("no status: {other:x?}"),
        }
    }
}

/// Three digits in the code of RFC 7541 appendix B: those up to 2 have 5 bits, the others 6.
fn huffman_digits(value: &[u8]) -> u16 {
    let mut bits = value.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let code = bits.by_ref().take(5).fold(0, |code, bit| code << 1 | bit);
        let digit = if code <= 2 { code } else { (code << 1 | bits.next().unwrap()) - 0x19 + 3 };
        number = number * 10 + digit;
    }
    number
}

/// Fields as literals, without compression (RFC 7541 section 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A length with a prefix of 7 bits (RFC 7541 section 5.1).
fn integer(out: &mut Vec<u8>, mut number: usize) {
    if number < 127 {
        return out.push(number as u8);
    }
    out.push(127);
    number -= 127;
    while number >= 128 {
        out.push((number % 128) as u8 | 128);
        number /= 128;
    }
    out.push(number as u8);
}

impl Http2 {
    /// Connects, begins with HTTP/2 and waits until both sides have said what they want of it.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[])
    }

    /// The same with these settings.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn connect_with(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::connect_silent(address);
        client.send_bytes(PREFACE);
        let mut all = vec![(setting::HEADER_TABLE_SIZE, 0)];
        all.extend_from_slice(settings);
        client.send(&[Frame::settings(&all)]);
        client.await_frame("the settings", |frame| frame.kind == kind::SETTINGS && !frame.has(flags::ACK));
        client.send(&[Frame::new(kind::SETTINGS, flags::ACK, 0, [])]);
        client.await_frame("the acknowledgement", |frame| {
            frame.kind == kind::SETTINGS && frame.has(flags::ACK)
        });
        client
    }

    /// Connects and says nothing.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn connect_silent(address: SocketAddr) -> Self {
        Self { wire: Wire::connect(address).unwrap(), go_away: None, kept: VecDeque::new() }
    }

    /// What a connection begins with.
    pub fn preface() -> &'static [u8] {
        PREFACE
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes).unwrap();
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write(bytes)
    }

    /// Sends frames in one piece.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn send(&mut self, frames: &[Frame]) {
        self.send_bytes(&frames.iter().flat_map(Frame::bytes).collect::<Vec<u8>>());
    }

    /// The next frame; `None` at the end of the connection, be it a reset.
    ///
    /// # Errors
    /// When none comes in time.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        if let Some(kept) = self.kept.pop_front() {
            return Ok(Some(kept));
        }
        let head = match self.wire.exactly(9) {
            Ok(head) => head,
            Err(error) if is_end(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match self.wire.exactly(length) {
            Ok(payload) => {
                let frame = Frame { kind: head[3], flags: head[4], stream, payload };
                if frame.kind == kind::GOAWAY {
                    self.go_away = Some(frame.number(4));
                }
                Ok(Some(frame))
            }
            Err(error) if is_end(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next frame that is like this; the others are left out.
    ///
    /// # Panics
    /// When none comes; `what` says what was waited for.
    #[track_caller]
    pub fn await_frame(&mut self, what: &str, is: impl Fn(&Frame) -> bool) -> Frame {
        let mut seen = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.next_frame() {
                Ok(Some(frame)) if is(&frame) => return frame,
                Ok(Some(frame)) => seen.push(frame),
                end => panic!("{what} did not come but {end:?} after {seen:?}"),
            }
        }
        panic!("{what} did not come in time, but {seen:?}");
    }

    /// The status and the body of the answer in this stream; what comes in others is kept for later.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn answer(&mut self, stream: u32) -> (u16, Vec<u8>) {
        let mut others = VecDeque::new();
        let mut status = None;
        let mut body = Vec::new();
        loop {
            let Some(frame) = self.next_frame().unwrap() else {
                panic!("the end, after {status:?} and {others:?}")
            };
            if frame.stream != stream {
                others.push_back(frame);
                continue;
            }
            match frame.kind {
                kind::HEADERS if status.is_none() && frame.status() < 200 => {}
                kind::HEADERS if status.is_none() => status = Some(frame.status()),
                kind::DATA => body.extend_from_slice(&frame.payload),
                kind::RST_STREAM => panic!("a reset with {}, after {status:?}", frame.number(0)),
                _ => {}
            }
            if let Some(status) = status
                && matches!(frame.kind, kind::DATA | kind::HEADERS)
                && frame.has(flags::END_STREAM)
            {
                others.append(&mut self.kept);
                self.kept = others;
                return (status, body);
            }
        }
    }

    /// The next frame, if one comes within `time`.
    ///
    /// # Panics
    /// When the connection is at its end.
    #[track_caller]
    pub fn next_within(&mut self, time: Duration) -> Option<Frame> {
        if !self.kept.is_empty() {
            return self.kept.pop_front();
        }
        match self.wire.more_within(time).unwrap() {
            Some(true) => self.next_frame().unwrap(),
            Some(false) => None,
            None => panic!("the connection ended"),
        }
    }

    /// Asks for a sign of life and waits for it.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        self.send(&[Frame::ping(*b"alive?!!")]);
        self.await_frame("a pong", |frame| frame.kind == kind::PING && frame.has(flags::ACK));
    }

    /// Waits for the end of the connection; the error code of the last GOAWAY, if ever there was one.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn await_end(&mut self) -> Option<u32> {
        while self.next_frame().unwrap().is_some() {}
        self.go_away
    }

    /// Checks that nothing comes for a while.
    ///
    /// # Panics
    /// When something does.
    #[track_caller]
    pub fn assert_quiet_for(&mut self, time: Duration) {
        assert_eq!(self.wire.more_within(time).unwrap(), Some(false));
    }

    /// Sends no more.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn half_close(&self) {
        self.wire.half_close().unwrap();
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}
