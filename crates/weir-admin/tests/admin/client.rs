//! A client that says exactly what it is told, and takes an answer apart.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a field, its name in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Asserts that this is a problem document with this status, and gives its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], status);
        assert!(document["type"].as_str().unwrap().starts_with("urn:weir:problem:"), "{self:?}");
        assert!(!document["title"].as_str().unwrap().is_empty());
        document["detail"].as_str().unwrap().to_owned()
    }
}

/// Sends `bytes` and reads to the end. `None` when nothing came back.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // Who is refused early may close before all is sent.
    let _ = socket.write_all(bytes).await;
    read_to_end(&mut socket).await
}

pub(crate) async fn read_to_end(socket: &mut TcpStream) -> Option<Reply> {
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

/// A request as a script sends it; `fields` are lines with their CRLF.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, fields: &str, body: &str) -> Reply {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    );
    raw(address, request.as_bytes()).await.unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    ask(address, "GET", path, "", "").await
}
