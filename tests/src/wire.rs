//! A socket, and HTTP/1's pieces as they lie on it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::PATIENCE;
use crate::message::{Framing, Head};

/// A socket and what was read from it too early.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    buffer: Vec<u8>,
    /// Where the first bytes that were read are kept for the test to look at.
    record: Option<Record>,
}

/// The first bytes that came on a socket.
pub(crate) type Record = Arc<Mutex<Vec<u8>>>;

const RECORD_BYTES_MAX: usize = 1 << 20;

/// A body, and the fields after it.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, buffer: Vec::new(), record: None }
    }

    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::new(TcpStream::connect(address)?))
    }

    pub(crate) fn recorded(self, record: Record) -> Self {
        Self { record: Some(record), ..self }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Reads more; 0 at the end.
    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 << 10];
        let count = self.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        if let Some(record) = &self.record {
            let mut record = record.lock().unwrap();
            let room = RECORD_BYTES_MAX - record.len();
            record.extend_from_slice(&piece[..count.min(room)]);
        }
        Ok(count)
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Up to and with `end`; `None` when the socket ends before a byte came.
    fn through(&mut self, end: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut seen = 0_usize;
        loop {
            let from = seen.saturating_sub(end.len());
            if let Some(at) = self.buffer[from..].windows(end.len()).position(|window| window == end) {
                return Ok(Some(self.take(from + at + end.len())));
            }
            seen = self.buffer.len();
            if self.fill()? == 0 {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                let rest = String::from_utf8_lossy(&self.buffer).into_owned();
                return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("the end after {rest:?}")));
            }
        }
    }

    pub(crate) fn head_bytes(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.through(b"\r\n\r\n")
    }

    pub(crate) fn head(&mut self) -> io::Result<Option<Head>> {
        let Some(bytes) = self.head_bytes()? else { return Ok(None) };
        Head::parse(&bytes).map(Some).map_err(invalid)
    }

    pub(crate) fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if self.fill()? == 0 {
                let got = self.buffer.len();
                return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("{got} bytes of {count}")));
            }
        }
        Ok(self.take(count))
    }

    /// Reads and forgets.
    pub(crate) fn skip(&mut self, mut count: u64) -> io::Result<()> {
        let mut piece = vec![0; 256 << 10];
        let buffered = self.buffer.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        self.take(buffered);
        count -= buffered as u64;
        while count > 0 {
            let most = piece.len().min(usize::try_from(count).unwrap_or(usize::MAX));
            match self.read(&mut piece[..most])? {
                0 => return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("{count} bytes missing"))),
                read => count -= read as u64,
            }
        }
        Ok(())
    }

    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.buffer))
    }

    pub(crate) fn body(&mut self, framing: Framing) -> io::Result<Body> {
        match framing {
            Framing::None => Ok(Body::default()),
            Framing::Length(length) => Ok(Body { bytes: self.exactly(length)?, trailers: Vec::new() }),
            Framing::Chunked => self.chunks(),
        }
    }

    fn chunks(&mut self) -> io::Result<Body> {
        let broken = || io::Error::new(ErrorKind::UnexpectedEof, "the end within a chunked body");
        let mut bytes = Vec::new();
        loop {
            let line = self.through(b"\r\n")?.ok_or_else(broken)?;
            let digits = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
            let size = usize::from_str_radix(&digits, 16)
                .map_err(|_| invalid(format!("a chunk size that is no number: {digits:?}")))?;
            if size == 0 {
                break;
            }
            bytes.extend(self.exactly(size)?);
            if self.exactly(2)? != b"\r\n" {
                return Err(invalid("no line end after a chunk".to_owned()));
            }
        }
        let mut lines = b"trailers\r\n".to_vec();
        loop {
            let line = self.through(b"\r\n")?.ok_or_else(broken)?;
            lines.extend_from_slice(&line);
            if line == b"\r\n" {
                break;
            }
        }
        Ok(Body { bytes, trailers: Head::parse(&lines).map_err(invalid)?.fields })
    }

    /// Whether anything more comes within `time`; `None` at the end of the socket.
    pub(crate) fn more_within(&mut self, time: Duration) -> io::Result<Option<bool>> {
        if !self.buffer.is_empty() {
            return Ok(Some(true));
        }
        self.socket.set_read_timeout(Some(time)).unwrap();
        let filled = self.fill();
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        match filled {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(true)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(Some(false))
            }
            Err(error) => Err(error),
        }
    }

    /// What was read but not asked for yet.
    pub(crate) fn taken(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    pub(crate) fn half_close(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Closing will be a reset, whatever was written.
    pub(crate) fn reset_at_close(&self) {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
