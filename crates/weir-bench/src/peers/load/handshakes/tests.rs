//! Against a server of rustls' own, which has its own count of what it did.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::harness::certificate::Certificate;
use crate::harness::directory::Directory;

/// What a server did, in its own words.
type Seen = Arc<Mutex<Vec<HandshakeKind>>>;

#[test]
fn full_handshakes_are_full_and_resumed_ones_resumed() {
    let (address, seen) = serve(&server_config());
    let full = load_on(address, Handshake::Full, 2).unwrap();
    assert_eq!((full.errors.sum(), full.requests > 0), (0, true));
    let kinds = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(kinds.len() as u64, full.requests);
    assert!(kinds.iter().all(|kind| *kind == HandshakeKind::Full), "{kinds:?}");

    let resumed = load_on(address, Handshake::Resume, 2).unwrap();
    assert_eq!((resumed.errors.sum(), resumed.requests > 0), (0, true));
    let kinds = std::mem::take(&mut *seen.lock().unwrap());
    let count = |kind: HandshakeKind| kinds.iter().filter(|seen| **seen == kind).count() as u64;
    // Each client's first connection isn't counted: it brings the ticket.
    assert_eq!((count(HandshakeKind::Resumed), count(HandshakeKind::Full)), (resumed.requests, 2));
}

#[test]
fn a_server_that_does_not_resume_is_told_and_not_counted() {
    let mut config = server_config();
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    let (address, _seen) = serve(&config);
    let why = load_on(address, Handshake::Resume, 1).unwrap_err().to_string();
    assert!(why.contains("not that handshake"), "{why}");
}

#[test]
fn a_server_without_the_hybrid_has_no_handshake_with_it() {
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519];
    let (address, _seen) = serve(&server_config_with(provider));
    let why = load_on(address, Handshake::Hybrid, 1).unwrap_err().to_string();
    assert!(why.contains("no handshake"), "{why}");
}

fn load_on(address: SocketAddr, kind: Handshake, connections: u32) -> anyhow::Result<Load> {
    let arguments = Arguments { address, kind, connections, seconds: 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, load(&arguments))
}

fn server_config() -> ServerConfig {
    server_config_with(default_provider())
}

fn server_config_with(provider: rustls::crypto::CryptoProvider) -> ServerConfig {
    let directory = Directory::new(false).unwrap();
    let certificate = Certificate::in_directory(directory.path());
    certificate.make().unwrap();
    let chain = vec![CertificateDer::from_pem_file(&certificate.certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
    let versions = &[&rustls::version::TLS13];
    let config =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions).unwrap();
    config.with_no_client_auth().with_single_cert(chain, key).unwrap()
}

/// A server that answers one request a connection, one connection after the other, until the test ends.
fn serve(config: &ServerConfig) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (config, seen) = (Arc::new(config.clone()), Seen::default());
    let kinds = Arc::clone(&seen);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, socket));
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|count| count > 2) {
                line.clear();
            }
            // Before the answer, so that it is there when the client has that.
            kinds.lock().unwrap().extend(stream.get_ref().conn.handshake_kind());
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            let stream = stream.get_mut();
            let _ = stream.write_all(answer);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (address, seen)
}
