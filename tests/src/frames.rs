//! A server that speaks HTTP/2 frame by frame, as a script has it: also what no library would send.

use std::io;

use crate::Peer;

/// Frame types (RFC 9113 section 6).
pub const DATA: u8 = 0;
/// HEADERS
pub const HEADERS: u8 = 1;
/// RST_STREAM
pub const RST_STREAM: u8 = 3;
/// SETTINGS
pub const SETTINGS: u8 = 4;
/// PING
pub const PING: u8 = 6;
/// GOAWAY
pub const GOAWAY: u8 = 7;
/// WINDOW_UPDATE
pub const WINDOW_UPDATE: u8 = 8;

/// Of DATA and HEADERS.
pub const END_STREAM: u8 = 1;
/// Of HEADERS.
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What follows its head.
    pub payload: Vec<u8>,
}

/// One connection, after its preface.
pub struct Frames<'a> {
    /// The connection itself, for what is no frame.
    pub peer: &'a mut Peer,
}

impl<'a> Frames<'a> {
    /// Reads the client's preface and sends `settings`, each an identifier and a value.
    ///
    /// # Errors
    /// When the client is gone, or speaks something else.
    pub fn begin(peer: &'a mut Peer, settings: &[(u16, u32)]) -> io::Result<Self> {
        if peer.read(PREFACE.len())? != PREFACE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not the preface of HTTP/2"));
        }
        let mut frames = Self { peer };
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        frames.send(SETTINGS, 0, 0, &settings)?;
        Ok(frames)
    }

    /// The next frame but SETTINGS, WINDOW_UPDATE and PING, which are dealt with.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn read(&mut self) -> io::Result<Frame> {
        loop {
            let frame = self.any()?;
            match (frame.kind, frame.flags & ACK) {
                (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[])?,
                (PING, 0) => self.send(PING, ACK, 0, &frame.payload)?,
                (SETTINGS | PING | WINDOW_UPDATE, _) => {}
                _ => return Ok(frame),
            }
        }
    }

    /// The next HEADERS frame: a request has begun, on this stream. Data before it is skipped.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn request(&mut self) -> io::Result<u32> {
        loop {
            let frame = self.read()?;
            if frame.kind == HEADERS {
                return Ok(frame.stream);
            }
        }
    }

    fn any(&mut self) -> io::Result<Frame> {
        let head = self.peer.read_patiently(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let payload = if length > 0 { self.peer.read(length)? } else { Vec::new() };
        Ok(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.peer.send(frame)
    }

    /// Sends the head of an answer, or an interim one, or (without a status) trailers.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn head(
        &mut self,
        stream: u32,
        status: Option<u16>,
        fields: &[(&str, &str)],
        flags: u8,
    ) -> io::Result<()> {
        let mut block = Vec::new();
        if let Some(status) = status {
            block.extend([0x08, 3]); // `:status`, literal, not indexed (RFC 7541 section 6.2.2)
            block.extend(status.to_string().bytes());
        }
        for (name, value) in fields {
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).unwrap());
                block.extend(text.bytes());
            }
        }
        self.send(HEADERS, END_HEADERS | flags, stream, &block)
    }

    /// Sends a whole answer: 200 with this body.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn answer(&mut self, stream: u32, body: &str) -> io::Result<()> {
        self.head(stream, Some(200), &[("content-length", &body.len().to_string())], 0)?;
        self.send(DATA, END_STREAM, stream, body.as_bytes())
    }

    /// Sends GOAWAY: streams up to `last` are served still.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn go_away(&mut self, last: u32, reason: u32) -> io::Result<()> {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), reason.to_be_bytes()].concat())
    }

    /// Resets a stream.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn reset(&mut self, stream: u32, reason: u32) -> io::Result<()> {
        self.send(RST_STREAM, 0, stream, &reason.to_be_bytes())
    }
}
