//! Whether something answers: one request, as short as it can be.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::inject::Target as Url;

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Room for a status line.
const LINE_BYTES: usize = 64;

/// Whether `url` is answered with 200, or, in TLS, whether there is a connection: certificates are the injector's to
/// judge.
///
/// # Errors
/// Why not, in words.
pub(super) fn probe(url: &Url) -> Result<(), String> {
    let mut addresses = (url.host.as_str(), url.port).to_socket_addrs().map_err(|error| error.to_string())?;
    let address = addresses.next().ok_or("the host has no address")?;
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.to_string())?;
    if url.is_tls {
        return Ok(());
    }
    let mut ask = || -> std::io::Result<Vec<u8>> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.write_all(
            format!("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", url.path, url.authority()).as_bytes(),
        )?;
        let mut line = vec![0; LINE_BYTES];
        let mut length = 0;
        while length < line.len() && !line[..length].contains(&b'\n') {
            match socket.read(&mut line[length..])? {
                0 => break,
                count => length += count,
            }
        }
        line.truncate(length);
        Ok(line)
    };
    let line = ask().map_err(|error| error.to_string())?;
    let line = String::from_utf8_lossy(&line);
    let line = line.lines().next().unwrap_or("");
    match line.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(_) | None if line.is_empty() => Err("it ended the connection without an answer".into()),
        Some(_) | None => Err(format!("it answered `{line}`")),
    }
}
