//! Counts the frames that cost a client next to nothing and us something: a client that sends many more of them than
//! anybody needs means harm (CVE-2019-9511 and its siblings, CVE-2023-44487, CVE-2024-27316).
//!
//! Pure: it is shown the bytes as they are read, before anybody acts on them, and walks the frames' heads. It also
//! holds a connection to what the library beneath does not insist on: that SETTINGS come first, and that frames of
//! one size have it (RFC 9113 sections 3.4 and 4.2). It does not look into frames any further.

use h2::Reason;
use weir_config::model::Http2;

/// Kinds of frames that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reset,
    Ping,
    Settings,
    EmptyData,
    Continuation,
    Priority,
    SmallWindowUpdate,
    Unknown,
}

const KINDS: usize = Kind::Unknown as usize + 1;

/// Why a connection can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Too many of these.
    Flood(Kind),
    /// A frame that can't stand where it does, or not with its length.
    Illegal(Reason),
}

/// The first of the bytes that must not be acted on, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) at: usize,
    pub(super) verdict: Verdict,
}

/// Follows the frames of one connection.
#[derive(Debug)]
pub(super) struct FrameMeter {
    bounds: [u32; KINDS],
    counts: [u32; KINDS],
    /// When the present stretch of counting began, in microseconds.
    began: u64,
    at: At,
    /// SETTINGS came.
    settled: bool,
    /// A request's head, or trailers, came in part.
    in_head: bool,
}

/// Where in the stream of bytes it is.
#[derive(Debug, Clone, Copy)]
enum At {
    /// So many bytes of the preface are still to come.
    Preface(usize),
    /// In a frame's head, of which so many bytes came.
    Head([u8; HEAD_BYTES], usize),
    /// In a frame's payload.
    Payload { frame: Frame, left: usize, value: u32 },
}

/// What has to be remembered of a frame until its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// Of a head, whose end it is.
    EndOfHead,
    WindowUpdate,
    Other,
}

/// For how long is counted.
const STRETCH_MICROS: u64 = 10_000_000;
const PREFACE_BYTES: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEAD_BYTES: usize = 9;
/// A client that makes less room than this at a time makes us write small frames.
const WINDOW_UPDATE_SMALL: u32 = 256;

/// Types of frames, RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl FrameMeter {
    /// At the first byte of the preface.
    pub(super) fn new(bounds: &Http2) -> Self {
        let mut all = [0; KINDS];
        for (kind, bound) in [
            (Kind::Reset, bounds.resets),
            (Kind::Ping, bounds.pings),
            (Kind::Settings, bounds.settings),
            (Kind::EmptyData, bounds.empty_data),
            (Kind::Continuation, bounds.continuations),
            (Kind::Priority, bounds.priorities),
            (Kind::SmallWindowUpdate, bounds.window_updates),
            (Kind::Unknown, bounds.unknown),
        ] {
            all[kind as usize] = bound;
        }
        Self {
            bounds: all,
            counts: [0; KINDS],
            began: 0,
            at: At::Preface(PREFACE_BYTES),
            settled: false,
            in_head: false,
        }
    }

    /// Takes note of `bytes`, which were read at `now`, in microseconds.
    ///
    /// # Errors
    /// When the connection can't go on; it must not be asked again then.
    pub(super) fn read(&mut self, bytes: &[u8], now: u64) -> Result<(), Cut> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.at {
                At::Preface(left) => {
                    let taken = rest.len().min(*left);
                    at += taken;
                    *left -= taken;
                    if *left == 0 {
                        self.at = At::Head([0; HEAD_BYTES], 0);
                    }
                }
                At::Head(head, have) => {
                    let taken = rest.len().min(HEAD_BYTES - *have);
                    head[*have..*have + taken].copy_from_slice(&rest[..taken]);
                    *have += taken;
                    at += taken;
                    if *have == HEAD_BYTES {
                        let head = *head;
                        self.begin_frame(head, now).map_err(|verdict| Cut { at, verdict })?;
                    }
                }
                At::Payload { frame, left, value } => {
                    let taken = rest.len().min(*left);
                    if *frame == Frame::WindowUpdate {
                        *value = rest[..taken].iter().fold(*value, |value, &b| value << 8 | u32::from(b));
                    }
                    at += taken;
                    *left -= taken;
                    self.end_frame_if_whole(now).map_err(|verdict| Cut { at, verdict })?;
                }
            }
        }
        Ok(())
    }

    /// Whether SETTINGS came.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether a head came in part, and nothing else can come before its rest.
    pub(super) fn in_head(&self) -> bool {
        self.in_head
    }

    fn begin_frame(&mut self, head: [u8; HEAD_BYTES], now: u64) -> Result<(), Verdict> {
        let [a, b, c, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let has = |flag: u8| flags & flag != 0;
        if !self.settled {
            // RFC 9113 section 3.4
            if kind != SETTINGS || has(ACK) {
                return Err(Verdict::Illegal(Reason::PROTOCOL_ERROR));
            }
            self.settled = true;
        }
        let wrong_size = match kind {
            RST_STREAM | WINDOW_UPDATE => length != 4,
            SETTINGS => !length.is_multiple_of(6) || (has(ACK) && length > 0),
            PING => length != 8,
            _ => false,
        };
        if wrong_size {
            return Err(Verdict::Illegal(Reason::FRAME_SIZE_ERROR));
        }
        let mut frame = Frame::Other;
        match kind {
            DATA if length == 0 && !has(END_STREAM) => self.count(Kind::EmptyData, now)?,
            DATA | GOAWAY | PUSH_PROMISE => {}
            HEADERS | CONTINUATION => {
                if kind == CONTINUATION {
                    self.count(Kind::Continuation, now)?;
                }
                self.in_head = true;
                if has(END_HEADERS) {
                    frame = Frame::EndOfHead;
                }
            }
            PRIORITY => self.count(Kind::Priority, now)?,
            RST_STREAM => self.count(Kind::Reset, now)?,
            SETTINGS => self.count(Kind::Settings, now)?,
            PING => self.count(Kind::Ping, now)?,
            WINDOW_UPDATE => frame = Frame::WindowUpdate,
            _ => self.count(Kind::Unknown, now)?,
        }
        self.at = At::Payload { frame, left: length, value: 0 };
        self.end_frame_if_whole(now)
    }

    fn end_frame_if_whole(&mut self, now: u64) -> Result<(), Verdict> {
        let At::Payload { frame, left: 0, value } = self.at else { return Ok(()) };
        self.at = At::Head([0; HEAD_BYTES], 0);
        match frame {
            Frame::EndOfHead => self.in_head = false,
            Frame::WindowUpdate if value < WINDOW_UPDATE_SMALL => self.count(Kind::SmallWindowUpdate, now)?,
            Frame::WindowUpdate | Frame::Other => {}
        }
        Ok(())
    }

    fn count(&mut self, kind: Kind, now: u64) -> Result<(), Verdict> {
        if now.saturating_sub(self.began) >= STRETCH_MICROS {
            self.began = now;
            self.counts = [0; KINDS];
        }
        let count = &mut self.counts[kind as usize];
        *count += 1;
        if *count > self.bounds[kind as usize] { Err(Verdict::Flood(kind)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    fn bounds() -> Http2 {
        Http2 {
            resets: 3,
            pings: 3,
            settings: 3,
            empty_data: 3,
            continuations: 3,
            priorities: 3,
            window_updates: 3,
            unknown: 3,
            ..Http2::default()
        }
    }

    /// After the preface and one SETTINGS frame.
    fn settled() -> FrameMeter {
        let mut meter = FrameMeter::new(&bounds());
        meter.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0).unwrap();
        assert!(!meter.is_settled());
        meter.read(&frame(SETTINGS, 0, &[]), 0).unwrap();
        assert!(meter.is_settled());
        meter
    }

    #[test]
    fn each_kind_has_its_bound_in_any_way_that_bytes_are_cut() {
        let none: &[u8] = &[];
        for (kind, flags, payload, verdict, times) in [
            (RST_STREAM, 0, &[0, 0, 0, 8][..], Kind::Reset, 3),
            (PING, 0, &[0; 8], Kind::Ping, 3),
            (PING, ACK, &[0; 8], Kind::Ping, 3),
            (SETTINGS, 0, none, Kind::Settings, 2),
            (DATA, 0, none, Kind::EmptyData, 3),
            (CONTINUATION, 0, b"ab", Kind::Continuation, 3),
            (PRIORITY, 0, &[0; 5], Kind::Priority, 3),
            (WINDOW_UPDATE, 0, &[0, 0, 0, 255], Kind::SmallWindowUpdate, 3),
            (0xbe, 0, b"anything", Kind::Unknown, 3),
        ] {
            let one = frame(kind, flags, payload);
            let all = one.repeat(times);
            for size in [1, 3, 9, 10, all.len()] {
                let mut meter = settled();
                all.chunks(size).for_each(|piece| meter.read(piece, 1).unwrap());
                let cut = meter.read(&one.repeat(2), 1).unwrap_err();
                assert_eq!(cut.verdict, Verdict::Flood(verdict));
                assert!(cut.at <= one.len());
            }
        }
    }

    #[test]
    fn what_comes_slowly_is_no_flood() {
        let mut meter = settled();
        for now in 1..20 {
            meter.read(&frame(PING, 0, &[0; 8]).repeat(2), now * STRETCH_MICROS).unwrap();
        }
    }

    #[test]
    fn what_carries_something_is_not_counted() {
        let mut meter = settled();
        for _ in 0..20 {
            meter.read(&frame(DATA, 0, b"x"), 1).unwrap();
            meter.read(&frame(DATA, END_STREAM, b""), 1).unwrap();
            meter.read(&frame(HEADERS, END_HEADERS, b"x"), 1).unwrap();
            meter.read(&frame(WINDOW_UPDATE, 0, &[0, 0, 1, 0]), 1).unwrap();
        }
    }

    #[test]
    fn a_head_is_open_until_its_last_byte() {
        let mut meter = settled();
        meter.read(&frame(HEADERS, 0, b"ab"), 1).unwrap();
        assert!(meter.in_head());
        let rest = frame(CONTINUATION, END_HEADERS, b"cd");
        meter.read(&rest[..10], 1).unwrap();
        assert!(meter.in_head());
        meter.read(&rest[10..], 1).unwrap();
        assert!(!meter.in_head());
    }

    #[test]
    fn settings_come_first_and_frames_of_one_size_have_it() {
        let mut meter = FrameMeter::new(&bounds());
        meter.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0).unwrap();
        let verdict = meter.read(&frame(PING, 0, &[0; 8]), 0).unwrap_err().verdict;
        assert_eq!(verdict, Verdict::Illegal(Reason::PROTOCOL_ERROR));
        for wrong in [
            frame(PING, 0, &[0; 7]),
            frame(SETTINGS, 0, &[0; 5]),
            frame(SETTINGS, ACK, &[0; 6]),
            frame(RST_STREAM, 0, &[0; 5]),
            frame(WINDOW_UPDATE, 0, &[0; 3]),
        ] {
            let verdict = settled().read(&wrong, 1).unwrap_err().verdict;
            assert_eq!(verdict, Verdict::Illegal(Reason::FRAME_SIZE_ERROR));
        }
    }
}
