//! TLS, towards clients and towards servers: what is wanted, and in which files the certificates are. What is in
//! those files is [`tls`](crate::tls)'s matter.

use std::path::PathBuf;

use http::HeaderName;

/// How a listener speaks TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one; the first serves clients that name no host, or one that none is for.
    pub certificates: Vec<CertificateFiles>,
    /// Refuse clients that name no host, or one that no certificate is for. Default no.
    pub strict_sni: bool,
    /// The oldest version that is spoken. Default 1.2.
    pub min_version: TlsVersion,
    /// What is spoken on top, most wanted first. Default: on HTTP listeners [`Alpn::ALL`], on others nothing is said of
    /// it.
    pub alpn: Option<Vec<Alpn>>,
    /// Whether clients show certificates, too. Default none.
    pub client_certificates: Option<ClientCertificates>,
}

/// Where a certificate is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// A PEM file with the certificate and what leads to its authority, or a directory: every `*.pem` in it.
    pub certificate: PathBuf,
    /// The private key. Default: in the same file, else beside it with the ending `.key`.
    pub key: Option<PathBuf>,
    /// An OCSP response in DER to staple. Default: beside it with the ending `.ocsp`, if there is one.
    pub ocsp: Option<PathBuf>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// What may be spoken on TLS, as its two ends agree (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// `h2`
    Http2,
    /// `http/1.1`
    Http1,
}

impl Alpn {
    /// All that HTTP listeners serve, most wanted first.
    pub const ALL: &'static [Self] = &[Self::Http2, Self::Http1];

    /// As it is written, in the file as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http2 => "h2",
            Self::Http1 => "http/1.1",
        }
    }
}

/// How clients show who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Default `required`.
    pub mode: ClientCertificateMode,
    /// The authorities that are believed: a PEM file.
    pub ca: PathBuf,
    /// What those authorities have revoked: a PEM file. Default none.
    pub crl: Option<PathBuf>,
    /// The field that tells servers the subject (RFC 4514). A client's own field of this name is dropped, on every
    /// listener. Default
    /// none.
    pub header: Option<HeaderName>,
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificateMode {
    /// It is not asked for one.
    None,
    /// It may show one, which must then be good.
    Optional,
    /// It must show a good one.
    #[default]
    Required,
}

/// How a pool's servers are spoken to in TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolTls {
    /// Whether the servers must prove who they are. Default `full`.
    pub verify: Verify,
    /// The authorities that are believed: a PEM file. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// The name that a server's certificate must be for. Default: its host name, or its address.
    pub server_name: Option<String>,
    /// Our own certificate, for servers that want one: a PEM file. Default none.
    pub certificate: Option<PathBuf>,
    /// Its private key. Default: as for a listener's certificate.
    pub key: Option<PathBuf>,
}

/// Whether servers must prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// By a certificate that is for their name and leads to an authority that is believed.
    #[default]
    Full,
    /// Not at all: whoever answers at the address is taken for the server.
    None,
}
