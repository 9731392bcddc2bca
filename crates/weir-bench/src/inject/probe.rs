//! One connection before the load: a target that can't be reached, or shows a certificate that is not trusted, is told
//! at once and in words instead of by a million errors. It asks for nothing.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use rustls::{CertificateError, ClientConnection};

use super::InjectError;
use super::dial::{self, Dialer};
use super::options::{Options, Version};
use super::outcome::ErrorKind;
use super::tls::ClientTls;

/// Connects, shakes hands, and hangs up.
pub(super) fn probe(
    options: &Options,
    address: SocketAddr,
    dialer: &Dialer,
    tls: Option<&ClientTls>,
) -> Result<(), InjectError> {
    let unreachable = |kind: ErrorKind, error: &std::io::Error| InjectError::Unreachable {
        address: address.to_string(),
        why: format!("{error}; {}", dial::remedy(kind)),
    };
    let socket = dialer.begin(0).map_err(|(kind, error)| unreachable(kind, &error))?.socket;
    let deadline = Instant::now() + options.timeout;
    let is_connected = {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        let mut sockets = [PollFd::new(&socket, PollFlags::OUT)];
        poll(&mut sockets, left.as_ref()).is_ok_and(|count| count > 0)
    };
    if !is_connected {
        let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
        return Err(unreachable(ErrorKind::ConnectTimeout, &error));
    }
    if let Ok(Err(error)) = sockopt::socket_error(socket.as_fd()) {
        let error = std::io::Error::from(error);
        return Err(unreachable(dial::connecting(&error), &error));
    }
    let Some(tls) = tls else { return Ok(()) };
    let refused = |why: String| InjectError::Tls { address: address.to_string(), why };
    let mut stream = TcpStream::from(socket);
    let prepared = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_read_timeout(Some(options.timeout)))
        .and_then(|()| stream.set_write_timeout(Some(options.timeout)));
    prepared.map_err(|error| refused(error.to_string()))?;
    let mut client = ClientConnection::new(tls.config.clone(), tls.name.clone())
        .map_err(|error| refused(error.to_string()))?;
    while client.is_handshaking() {
        if let Err(error) = client.complete_io(&mut stream) {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            return Err(refused(inner.map_or_else(|| error.to_string(), in_words)));
        }
    }
    if options.version == Version::Http2 && client.alpn_protocol() != Some(b"h2") {
        return Err(refused("it does not speak HTTP/2; leave out --http 2, or turn it on there".into()));
    }
    client.send_close_notify();
    let _ = client.write_tls(&mut stream);
    Ok(())
}

fn in_words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(why) = error else { return error.to_string() };
    let remedy = if matches!(why, CertificateError::UnknownIssuer) {
        "nobody trusted has signed its certificate; name who has with --ca, or say --insecure"
    } else if matches!(
        why,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    ) {
        "its certificate is for another name; say --server-name, or --insecure"
    } else if matches!(why, CertificateError::Expired | CertificateError::ExpiredContext { .. }) {
        "its certificate has expired; renew it, look at this machine's clock, or say --insecure"
    } else {
        "its certificate is not accepted; --insecure takes any"
    };
    format!("{error}; {remedy}")
}
