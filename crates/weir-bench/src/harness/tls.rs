//! The least of a TLS client over tokio's sockets: rustls' state, and its bytes in and out.
//!
//! It verifies nothing: it talks to proxies that this program started itself, and its core has other work. What it
//! offers is one thing only, so that every server does the same work, whatever it would have preferred.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use tokio::net::TcpStream;

use super::certificate::HOST;

/// Tickets that a client holds.
const TICKETS: usize = 8;

/// Room for what one read brings.
const READ_BYTES: usize = 16 << 10;

/// What a client offers. Clones share their tickets.
#[derive(Debug, Clone)]
pub struct Offer(Arc<ClientConfig>);

/// A connection in TLS.
#[derive(Debug)]
pub struct TlsStream {
    socket: TcpStream,
    tls: ClientConnection,
}

impl Offer {
    /// TLS 1.3 with TLS_AES_128_GCM_SHA256, keys by X25519, HTTP/1.1.
    pub fn new() -> Self {
        Self::of(kx_group::X25519)
    }

    /// The same, keys by X25519MLKEM768.
    pub fn hybrid() -> Self {
        Self::of(kx_group::X25519MLKEM768)
    }

    /// The same, without a ticket ever.
    #[must_use]
    pub fn without_tickets(self) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.resumption = Resumption::disabled();
        Self(Arc::new(config))
    }

    /// The same, with a store of tickets that is shared with no other.
    #[must_use]
    pub fn with_own_tickets(&self) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.resumption = Resumption::in_memory_sessions(TICKETS);
        Self(Arc::new(config))
    }

    fn of(group: &'static dyn SupportedKxGroup) -> Self {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![group],
            ..default_provider()
        });
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has a suite of TLS 1.3");
        let mut config = config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(schemes)))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }
}

impl Default for Offer {
    fn default() -> Self {
        Self::new()
    }
}

impl TlsStream {
    /// Shakes hands on a connection. The client's last message goes out with the first bytes, or with [`Self::flush`].
    ///
    /// # Errors
    /// When the connection breaks, or the two don't agree.
    pub async fn connect(socket: TcpStream, offer: &Offer) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(HOST).expect("this is a name");
        let tls = ClientConnection::new(Arc::clone(&offer.0), name).map_err(io::Error::other)?;
        let mut stream = Self { socket, tls };
        stream.flush().await?;
        while stream.tls.is_handshaking() {
            if !stream.receive().await? {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the handshake was broken off"));
            }
            if stream.tls.is_handshaking() {
                stream.flush().await?;
            }
        }
        Ok(stream)
    }

    /// Which handshake it was.
    pub fn handshake(&self) -> Option<HandshakeKind> {
        self.tls.handshake_kind()
    }

    /// Sends all of `bytes`, which are few.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)?;
        self.flush().await
    }

    /// Adds what has come to `buffer`, and waits for something; 0 bytes are the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn read_buf(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let mut piece = [0; READ_BYTES];
        loop {
            match self.tls.reader().read(&mut piece) {
                Ok(count) => {
                    buffer.extend_from_slice(&piece[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An end without a farewell: those who count bytes know whether one is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            self.receive().await?;
        }
    }

    /// Sends what is to be sent.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Now(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what comes next; false at the end.
    async fn receive(&mut self) -> io::Result<bool> {
        loop {
            match self.tls.read_tls(&mut Now(&self.socket)) {
                Ok(count) => {
                    self.tls.process_new_packets().map_err(io::Error::other)?;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.readable().await?,
                Err(error) => return Err(error),
            }
        }
    }
}

/// A socket, as far as it can do something at once.
struct Now<'a>(&'a TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    /// So that several records are one packet.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes any certificate and any signature, of these schemes.
#[derive(Debug)]
pub(crate) struct Unverified(Vec<SignatureScheme>);

impl Unverified {
    pub(crate) fn new(schemes: Vec<SignatureScheme>) -> Self {
        Self(schemes)
    }
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
