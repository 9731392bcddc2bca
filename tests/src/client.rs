//! A client that sends the bytes it is given and reads answers strictly.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::message::{Framing, Head};
use crate::wire::{Body, Wire};

/// One connection of a client.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
}

/// A whole response.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its head.
    pub head: Head,
    /// Its body, without framing.
    pub body: Vec<u8>,
    /// The fields after its body.
    pub trailers: Vec<(String, String)>,
}

impl Response {
    /// Its body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A field that may occur once.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    /// Whether the connection ends with it.
    pub fn closes(&self) -> bool {
        self.head.lists("connection", "close")
    }
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("no connection to {address}: {error}"))
    }

    /// Connects.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { wire: Wire::connect(address)? })
    }

    /// Connects from another address of this machine, such as 127.0.0.2.
    ///
    /// # Panics
    /// When that fails.
    pub fn connect_from(source: SocketAddr, address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&source.into()).unwrap();
        socket.connect(&address.into()).unwrap();
        Self { wire: Wire::new(socket.into()) }
    }

    /// Connects with room for so few bytes that have not been read yet.
    ///
    /// # Panics
    /// When that fails.
    pub fn connect_with_small_window(address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&address.into()).unwrap();
        Self { wire: Wire::new(socket.into()) }
    }

    /// This end's address.
    pub fn address(&self) -> SocketAddr {
        self.wire.socket.local_addr().unwrap()
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("can't send: {error}"));
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.write(bytes.as_ref())
    }

    /// Sends bytes one by one, each in a segment of its own.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn send_slowly(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]);
        }
    }

    /// Sends no more.
    pub fn half_close(&mut self) {
        self.wire.half_close().unwrap();
    }

    /// Resets the connection.
    pub fn reset(self) {
        self.wire.reset_at_close();
    }

    /// Reads the response to a GET.
    ///
    /// # Panics
    /// When none comes, or one that is not sound.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// Reads the response to a request with this method.
    ///
    /// # Panics
    /// When none comes, or one that is not sound.
    #[track_caller]
    pub fn response_to(&mut self, method: &str) -> Response {
        self.try_response_to(method).unwrap_or_else(|error| panic!("no sound response: {error}"))
    }

    /// Reads the response to a request with this method.
    ///
    /// # Errors
    /// When none comes, or one that is not sound.
    pub fn try_response_to(&mut self, method: &str) -> io::Result<Response> {
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "closed without a response");
        let head = self.wire.head()?.ok_or_else(closed)?;
        let status = status(&head)?;
        let framing = head.framing().map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
        let no_body = method == "HEAD" || matches!(status, 100..200 | 204 | 304);
        let body = match framing {
            _ if no_body => Body::default(),
            Framing::None => Body { bytes: self.wire.rest()?, trailers: Vec::new() },
            Framing::Length(_) | Framing::Chunked => self.wire.body(framing)?,
        };
        Ok(Response { status, head, body: body.bytes, trailers: body.trailers })
    }

    /// Reads a head only; the body, if any, is the caller's.
    ///
    /// # Panics
    /// When none comes, or one that is not sound.
    #[track_caller]
    pub fn head(&mut self) -> (u16, Head) {
        let head = self.wire.head().unwrap_or_else(|error| panic!("no sound head: {error}"));
        let head = head.expect("closed without a response");
        (status(&head).unwrap(), head)
    }

    /// Sends a request and reads the response.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn exchange(&mut self, request: &str) -> Response {
        self.send(request);
        self.response_to(request.split(' ').next().unwrap_or_default())
    }

    /// Asks for `path` on a connection that stays open.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    /// Reads exactly so many bytes.
    ///
    /// # Panics
    /// When they don't come.
    #[track_caller]
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        self.wire.exactly(count).unwrap_or_else(|error| panic!("can't read {count} bytes: {error}"))
    }

    /// Reads so many bytes and forgets them.
    ///
    /// # Panics
    /// When they don't come.
    #[track_caller]
    pub fn skip(&mut self, count: u64) {
        self.wire.skip(count).unwrap_or_else(|error| panic!("can't read {count} bytes: {error}"));
    }

    /// Reads until the other side ends; what came, and whether it ended soundly rather than by a reset.
    ///
    /// # Panics
    /// When it doesn't end.
    #[track_caller]
    pub fn read_to_end(&mut self) -> (Vec<u8>, bool) {
        let mut came = Vec::new();
        loop {
            match self.wire.more_within(crate::PATIENCE) {
                Ok(None) => return (came, true),
                Ok(Some(true)) => came.extend(self.wire.taken()),
                Ok(Some(false)) => panic!("still open; came: {:?}", String::from_utf8_lossy(&came)),
                Err(_) => return (came, false),
            }
        }
    }

    /// The other side closes without another byte.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        let (came, _) = self.read_to_end();
        assert!(came.is_empty(), "more came: {:?}", String::from_utf8_lossy(&came));
    }

    /// Nothing comes, and the other side does not close, for this long.
    ///
    /// # Panics
    /// When something does.
    #[track_caller]
    pub fn assert_quiet_for(&mut self, time: Duration) {
        let more = self.wire.more_within(time).unwrap_or_else(|error| panic!("reset: {error}"));
        match more {
            None => panic!("closed"),
            Some(true) => panic!("came: {:?}", String::from_utf8_lossy(&self.wire.taken())),
            Some(false) => {}
        }
    }
}

/// Asks for `path` on a connection of its own.
///
/// # Panics
/// When that fails.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Response {
    let mut client = Client::connect(address);
    client.exchange(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
}

fn status(head: &Head) -> io::Result<u16> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("no status line: {:?}", head.start));
    let rest =
        head.start.strip_prefix("HTTP/1.1 ").or(head.start.strip_prefix("HTTP/1.0 ")).ok_or_else(wrong)?;
    let (code, _reason) = rest.split_once(' ').ok_or_else(wrong)?;
    if code.len() != 3 {
        return Err(wrong());
    }
    code.parse().map_err(|_| wrong())
}
