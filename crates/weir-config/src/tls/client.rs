//! TLS towards servers: a pool's part of a configuration, ready to dial.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::Certificate;
use super::files::Bytes;
use super::findings::Place;
use super::server::authorities;
use super::{Broken, Loading, Tls};
use crate::codec::Problem;
use crate::model::{self, Alpn, CertificateFiles, CheckKind, Host, PoolProtocol, ServerAddress, Verify};

/// How a pool's servers are spoken to in TLS, ready to dial.
#[derive(Debug)]
pub struct PoolTls {
    /// For each connection of traffic.
    pub config: Arc<ClientConfig>,
    /// For connections that are passed on, whatever is spoken on them.
    pub relay: Arc<ClientConfig>,
    /// For each check: one that sees what a new client would see.
    pub check: Arc<ClientConfig>,
    /// The name that a certificate must be for, where it is not the server's own.
    server_name: Option<ServerName<'static>>,
    /// What it was made of.
    model: model::PoolTls,
    ca: Option<Bytes>,
    certificate: Option<Arc<Certificate>>,
}

/// The system's authorities.
#[derive(Debug)]
pub(super) struct Authorities(Arc<RootCertStore>);

/// Sessions that are kept to be resumed, one server each.
const SESSIONS_MAX: usize = 1024;

impl PoolTls {
    /// The name that the certificate of the server at `address` must be for; `None`: the host can't stand in one.
    pub fn name_of(&self, address: &ServerAddress) -> Option<ServerName<'static>> {
        self.server_name.clone().or_else(|| own_name(address))
    }
}

fn own_name(address: &ServerAddress) -> Option<ServerName<'static>> {
    match &address.host {
        Host::Ip(ip) => Some(ServerName::IpAddress(IpAddr::from(*ip))),
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
    }
}

impl Loading<'_> {
    /// `None` when it can't be made, which has been reported.
    pub(super) fn pool(
        &mut self,
        pool: &model::Pool,
        model: &model::PoolTls,
        tls: &mut Tls,
    ) -> Option<Arc<PoolTls>> {
        let place = Place::pool(&pool.name);
        let server_name = match &model.server_name {
            None => None,
            Some(name) => match ServerName::try_from(name.clone()) {
                Ok(name) => Some(name),
                Err(_) => {
                    let problem = Problem::new(format!("`{name}` can't be the name of a certificate"));
                    self.findings.problem(place.key("server_name"), problem);
                    return None;
                }
            },
        };
        if server_name.is_none() {
            self.check_names(pool);
        }
        let ca = match &model.ca {
            Some(path) => Some(self.file(path, place.clone().key("ca"), tls)?),
            None => None,
        };
        let certificate = self.own_certificate(&place, model, tls)?;
        if let Some(old) = self.before.pools.get(&pool.name)
            && old.model == *model
            && old.ca == ca
            && old.config.alpn_protocols == alpn(pool.protocol)
            && old.check.alpn_protocols == alpn(checks_protocol(pool))
            && old.certificate.as_ref().map(Arc::as_ptr) == certificate.as_ref().map(Arc::as_ptr)
        {
            return Some(Arc::clone(old));
        }
        let verifier = self.server_verifier(&place, model.verify, ca.as_ref(), tls)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions")
            .dangerous() // is said by whoever brings a verifier
            .with_custom_certificate_verifier(verifier);
        let mut config = match &certificate {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(
                Arc::clone(&own.key),
            ))),
        };
        let mut check = config.clone();
        check.resumption = Resumption::disabled();
        check.alpn_protocols = alpn(checks_protocol(pool));
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        config.alpn_protocols = alpn(pool.protocol);
        let mut relay = config.clone();
        relay.alpn_protocols.clear();
        let (config, relay, check) = (Arc::new(config), Arc::new(relay), Arc::new(check));
        Some(Arc::new(PoolTls { config, relay, check, model: model.clone(), server_name, ca, certificate }))
    }

    /// Every server must have a name that can be in a certificate.
    fn check_names(&mut self, pool: &model::Pool) {
        for (index, server) in pool.servers.iter().enumerate() {
            if own_name(&server.address).is_none() {
                let place = Place::default().key("pools").key(&pool.name).key("servers");
                let problem = Problem::new(format!("no certificate can be for `{}`", server.address));
                self.findings.problem(
                    place.item(index).key("address"),
                    problem.hint("say with `tls.server_name` which name it must be for"),
                );
            }
        }
    }

    /// Our own certificate, for servers that want one; `None` is an error that has been reported.
    #[expect(clippy::option_option, reason = "an error, none, or one")]
    fn own_certificate(
        &mut self,
        place: &Place,
        model: &model::PoolTls,
        tls: &mut Tls,
    ) -> Option<Option<Arc<Certificate>>> {
        let Some(certificate) = &model.certificate else { return Some(None) };
        let files = CertificateFiles { certificate: certificate.clone(), key: model.key.clone(), ocsp: None };
        let old = self.before.files.certificates.get(&files);
        let read = match old.filter(|old| old.is_fresh()) {
            Some(old) => Ok(Arc::clone(old)),
            None => Certificate::read(&files, &self.provider).map(Arc::new),
        };
        let certificate = match read {
            Ok(certificate) => self.in_time(place, certificate),
            Err((key, problem)) => {
                self.findings.problem(place.clone().key(key), problem);
                None
            }
        };
        let certificate = certificate.or_else(|| old.filter(|_| self.broken == Broken::Kept).cloned())?;
        tls.files.certificates.insert(files, Arc::clone(&certificate));
        Some(Some(certificate))
    }

    fn server_verifier(
        &mut self,
        place: &Place,
        verify: Verify,
        ca: Option<&Bytes>,
        tls: &mut Tls,
    ) -> Option<Arc<dyn ServerCertVerifier>> {
        if verify == Verify::None {
            return Some(Arc::new(TrustAll(Arc::clone(&self.provider))));
        }
        let roots = match ca {
            Some(ca) => authorities(ca).map(Arc::new),
            None => system(tls),
        };
        let at = if ca.is_some() { place.clone().key("ca") } else { place.clone() };
        let verifier = roots.and_then(|roots| {
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider))
                .build()
                .map_err(|error| Problem::new(format!("servers can't be verified: {error}")))
        });
        match verifier {
            Ok(verifier) => Some(verifier),
            Err(problem) => {
                self.findings.problem(at, problem);
                None
            }
        }
    }
}

/// What is offered to servers that are to speak `protocol`.
fn alpn(protocol: PoolProtocol) -> Vec<Vec<u8>> {
    let alpn = match protocol {
        PoolProtocol::Http1 => Alpn::Http1,
        PoolProtocol::Http2 => Alpn::Http2,
    };
    vec![alpn.as_str().as_bytes().to_vec()]
}

/// What the pool's check speaks.
fn checks_protocol(pool: &model::Pool) -> PoolProtocol {
    match pool.check.as_ref().map(|check| &check.kind) {
        Some(CheckKind::Http(http)) => http.protocol.unwrap_or(pool.protocol),
        Some(CheckKind::Grpc(_)) => PoolProtocol::Http2,
        Some(CheckKind::Tcp) | None => pool.protocol,
    }
}

/// The authorities that the system believes, read once.
fn system(tls: &mut Tls) -> Result<Arc<RootCertStore>, Problem> {
    if let Some(Authorities(roots)) = tls.system.as_deref() {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = Problem::new("this system has no list of authorities (`ca-certificates`)");
        return Err(problem.hint("install it, or name those that you believe with `ca`"));
    }
    let roots = Arc::new(roots);
    tls.system = Some(Arc::new(Authorities(Arc::clone(&roots))));
    Ok(roots)
}

/// `verify: none`: the server must have the key of the certificate that it shows, whatever that is.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
