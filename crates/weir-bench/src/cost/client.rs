//! The one client: it asks for the next thing when it has the whole of the last, in HTTP/1, plain or in TLS, or in
//! HTTP/2.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::case::Case;
use super::subject::Subject;
use crate::harness::stream::ClientStream;
use crate::harness::tls::Offer;
use crate::peers::proxies::Front;

/// How long one answer may take; everything is slow beneath valgrind.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long Weir gets at least to see that a connection has begun, that it is answered, that it has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// Whom it asks for.
const HOST: &str = "bench.example";

/// What it calls itself.
const AGENT: &str = "request-cost/1";

/// A client, whose connection is opened when it is needed.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    /// The process that serves it.
    server: u32,
    case: Case,
    offer: Offer,
    connection: Option<Connection>,
    buffer: Vec<u8>,
}

/// A connection to Weir.
#[derive(Debug)]
enum Connection {
    Http1(ClientStream),
    Http2(SendRequest<Bytes>),
}

impl Client {
    /// One that asks Weir for what the case says.
    pub(super) fn new(weir: &Subject, case: Case) -> Self {
        Self {
            address: weir.address,
            server: weir.id(),
            case,
            offer: Offer::new(),
            connection: None,
            buffer: Vec::new(),
        }
    }

    /// Asks so many times.
    ///
    /// # Errors
    /// When a connection breaks, an answer isn't `200`, or one takes 20 seconds.
    pub(super) async fn ask(&mut self, times: u32) -> io::Result<()> {
        for _request in 0..times {
            timeout(PATIENCE, self.ask_once()).await??;
        }
        Ok(())
    }

    async fn ask_once(&mut self) -> io::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        match &mut connection {
            Connection::Http1(stream) => self.ask_http1(stream).await?,
            Connection::Http2(sender) => self.ask_http2(sender).await?,
        }
        if self.case.close {
            self.let_it_rest().await;
            drop(connection);
            self.let_it_rest().await;
        } else {
            self.connection = Some(connection);
        }
        Ok(())
    }

    async fn connect(&self) -> io::Result<Connection> {
        let connection = match self.case.front {
            Front::Http | Front::Tcp => Connection::Http1(ClientStream::connect(self.address, None).await?),
            Front::Tls => Connection::Http1(ClientStream::connect(self.address, Some(&self.offer)).await?),
            Front::H2c => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                let (sender, work) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
                // It ends with its sender, and what goes wrong the sender says.
                tokio::spawn(async move { drop(work.await) });
                Connection::Http2(sender)
            }
        };
        self.let_it_rest().await;
        Ok(connection)
    }

    async fn ask_http1(&mut self, stream: &mut ClientStream) -> io::Result<()> {
        let last = if self.case.close { "Connection: close\r\n" } else { "" };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n{last}\r\n",
            self.target()
        );
        stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let length = loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(wrong("the connection ended before the answer"));
            }
            if let Some(length) = answer_length(&self.buffer)? {
                break length;
            }
        };
        while self.buffer.len() < length {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(wrong("the connection ended inside the answer"));
            }
        }
        if self.case.close {
            while stream.read_buf(&mut self.buffer).await? > 0 {}
        }
        Ok(())
    }

    async fn ask_http2(&self, sender: &mut SendRequest<Bytes>) -> io::Result<()> {
        let request = Request::get(format!("http://{HOST}{}", self.target()))
            .header("user-agent", AGENT)
            .header("accept", "*/*")
            .body(())
            .map_err(io::Error::other)?;
        let (response, _sending) = sender.send_request(request, true).map_err(io::Error::other)?;
        let response = response.await.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            return Err(wrong(response.status().as_str()));
        }
        let mut body = response.into_body();
        while let Some(piece) = body.data().await {
            let length = piece.map_err(io::Error::other)?.len();
            body.flow_control().release_capacity(length).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn target(&self) -> String {
        format!("/?s={}", self.case.size)
    }

    /// Lets Weir do all that there is to do. What it sees at once costs less than what it sees in turn; which of that
    /// happens must not be left to chance.
    async fn let_it_rest(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            sleep(PAUSE).await;
            if is_at_rest(self.server) || Instant::now() > deadline {
                return;
            }
        }
    }
}

/// Whether all threads of a process wait for something.
fn is_at_rest(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    stats.all(|stat| state(&stat) == Some('S'))
}

/// The state of a thread: what follows its name, which may have anything in it.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// How long the whole answer is, once its head is there.
fn answer_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(head_end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..head_end]).map_err(|_not_text| wrong("no text in the head"))?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200 ") {
        return Err(wrong(status));
    }
    let fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .find_map(|(_, value)| value.trim().parse::<usize>().ok());
    let length = length.ok_or_else(|| wrong("an answer without a Content-Length"))?;
    Ok(Some(head_end + 4 + length))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_state_is_found_whatever_its_name() {
        assert_eq!(state("12 (a) R (b) S 1 2 3"), Some('S'));
        assert_eq!(state(""), None);
    }

    #[test]
    fn an_answers_length_is_that_of_its_head_and_its_body() {
        assert_eq!(answer_length(b"HTTP/1.1 200 OK\r\nA: b\r\n").unwrap(), None);
        let head = b"HTTP/1.1 200 OK\r\ncontent-Length: 7\r\n\r\n";
        assert_eq!(answer_length(head).unwrap(), Some(head.len() + 7));
        assert!(answer_length(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(answer_length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
