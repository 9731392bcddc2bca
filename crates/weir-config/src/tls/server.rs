//! TLS towards clients: a listener's part of a configuration, ready to serve.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::choose::Chooser;
use super::files::{self, Bytes};
use super::findings::Place;
use super::{Broken, Certificate, Loading, Tls};
use crate::codec::Problem;
use crate::model::{self, Alpn, ClientCertificateMode, TlsVersion};

/// How a listener speaks TLS, ready to serve.
#[derive(Debug)]
pub struct ListenerTls {
    /// For each connection.
    pub config: Arc<ServerConfig>,
    /// Every certificate that a client may be shown.
    pub certificates: Vec<Arc<Certificate>>,
    /// What it was made of.
    model: model::ListenerTls,
    clients: Option<Clients>,
}

/// Which clients are let in. Sessions are resumed only among listeners that let in the same ones: a client's
/// certificate is not looked at again then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Clients {
    required: bool,
    ca: Bytes,
    crl: Option<Bytes>,
}

/// What makes sessions resumable, by who is let in.
#[derive(Debug, Default)]
pub(super) struct Resumption(HashMap<Option<Clients>, Resume>);

#[derive(Debug, Clone)]
struct Resume {
    /// Encrypts what the client keeps. Its keys change every six hours and are good for twelve.
    tickets: Arc<dyn ProducesTickets>,
    /// For TLS 1.2 clients that want no ticket, by session id.
    sessions: Arc<ServerSessionMemoryCache>,
}

/// The most sessions that are kept for clients that want no ticket.
const SESSIONS_MAX: usize = 8192;

impl Resumption {
    fn get(&mut self, clients: Option<&Clients>, before: &Self) -> Result<Resume, rustls::Error> {
        let clients = clients.cloned();
        if let Some(resume) = self.0.get(&clients) {
            return Ok(resume.clone());
        }
        let resume = match before.0.get(&clients) {
            Some(resume) => resume.clone(),
            None => Resume {
                tickets: rustls::crypto::aws_lc_rs::Ticketer::new()?,
                sessions: ServerSessionMemoryCache::new(SESSIONS_MAX),
            },
        };
        self.0.insert(clients, resume.clone());
        Ok(resume)
    }
}

impl Loading<'_> {
    /// `None` when it can't be made, which has been reported.
    pub(super) fn listener(
        &mut self,
        name: &str,
        model: &model::ListenerTls,
        certificates: Vec<(Place, Arc<Certificate>)>,
        tls: &mut Tls,
    ) -> Option<Arc<ListenerTls>> {
        let place = Place::listener(name);
        let clients = self.clients(&place, model, tls)?;
        if certificates.is_empty() {
            return None; // each of them has been reported
        }
        let resume = match tls.resumption.get(clients.as_ref(), &self.before.resumption) {
            Ok(resume) => resume,
            Err(error) => {
                self.findings.problem(place, Problem::new(format!("no keys for session tickets: {error}")));
                return None;
            }
        };
        let (places, certificates): (Vec<_>, Vec<_>) = certificates.into_iter().unzip();
        let chooser =
            Chooser::new(&certificates.iter().collect::<Vec<_>>(), model.strict_sni, |index, name| {
                let certificate: &Arc<Certificate> = &certificates[index];
                let shown = certificate.path.display();
                let problem =
                    Problem::new(format!("another certificate before `{shown}` is for `{name}`, too"));
                self.findings.warning(
                    places[index].clone(),
                    problem.hint("the first one is shown; remove one of them"),
                );
            });
        if let Some(old) = self.before.listeners.get(name)
            && old.model == *model
            && old.clients == clients
            && old.certificates.len() == certificates.len()
            && old.certificates.iter().zip(&certificates).all(|(old, new)| Arc::ptr_eq(old, new))
        {
            return Some(Arc::clone(old));
        }
        let versions: &[&SupportedProtocolVersion] = match model.min_version {
            TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::V1_3 => &[&rustls::version::TLS13],
        };
        let verifier = match self.verifier(&place, clients.as_ref()) {
            Ok(verifier) => verifier,
            Err((place, problem)) => {
                self.findings.problem(place, problem);
                return None;
            }
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions)
            .expect("the provider has suites for both versions");
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(chooser));
        config.alpn_protocols = model.alpn.iter().map(|alpn| alpn.as_str().as_bytes().to_vec()).collect();
        if model.alpn.contains(&Alpn::Http1) {
            config.alpn_protocols.push(b"http/1.0".to_vec()); // served like HTTP/1.1
        }
        config.ticketer = resume.tickets;
        config.session_storage = resume.sessions;
        let config = Arc::new(config);
        Some(Arc::new(ListenerTls { config, certificates, model: model.clone(), clients }))
    }

    /// Which clients are let in; `None` is an error that has been reported.
    #[expect(clippy::option_option, reason = "an error, everybody, or some")]
    fn clients(
        &mut self,
        place: &Place,
        model: &model::ListenerTls,
        tls: &mut Tls,
    ) -> Option<Option<Clients>> {
        let Some(wanted) = &model.client_certificates else { return Some(None) };
        let required = match wanted.mode {
            ClientCertificateMode::None => return Some(None),
            ClientCertificateMode::Optional => false,
            ClientCertificateMode::Required => true,
        };
        let place = place.clone().key("client_certificates");
        let ca = self.file(&wanted.ca, place.clone().key("ca"), tls);
        let crl = match &wanted.crl {
            Some(crl) => self.file(crl, place.key("crl"), tls).map(Some),
            None => Some(None),
        };
        ca.zip(crl).map(|(ca, crl)| Some(Clients { required, ca, crl }))
    }

    fn verifier(
        &self,
        place: &Place,
        clients: Option<&Clients>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, (Place, Problem)> {
        let Some(Clients { required, ca, crl }) = clients else { return Ok(None) };
        let place = place.clone().key("client_certificates");
        let roots = authorities(ca).map_err(|problem| (place.clone().key("ca"), problem))?;
        let crls = crl.as_deref().map_or_else(|| Ok(Vec::new()), revoked);
        let crls = crls.map_err(|problem| (place.clone().key("crl"), problem))?;
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&self.provider));
        builder = builder.with_crls(crls);
        if !required {
            builder = builder.allow_unauthenticated();
        }
        let at = if crl.is_some() { "crl" } else { "ca" };
        let wrong = |error| {
            Problem::new(format!("client certificates can't be judged by it: {error}"))
            .hint("authorities and revocation lists are those of RFC 5280; lists are of version 2, with a number")
        };
        builder.build().map(Some).map_err(|error| (place.key(at), wrong(error)))
    }

    /// A file's bytes; `None` is an error that has been reported.
    pub(super) fn file(&mut self, path: &Path, place: Place, tls: &mut Tls) -> Option<Bytes> {
        match tls.files.bytes(path, &self.before.files) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.findings.problem(place, files::unreadable(path, &error));
                let (stamp, old) = self.before.files.others.get(path)?;
                if self.broken == Broken::Refused {
                    return None;
                }
                tls.files.others.insert(path.to_owned(), (*stamp, Arc::clone(old)));
                Some(Arc::clone(old))
            }
        }
    }
}

/// The authorities in a PEM file.
pub(super) fn authorities(pem: &[u8]) -> Result<RootCertStore, Problem> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| Problem::new(format!("not sound PEM: {error}")))?;
        let wrong = |error| Problem::new(format!("an authority's certificate can't be used: {error}"));
        roots.add(certificate).map_err(wrong)?;
    }
    if roots.is_empty() {
        let problem = Problem::new("no authority's certificate in this file");
        return Err(problem.hint("a PEM file has `-----BEGIN CERTIFICATE-----` in it"));
    }
    Ok(roots)
}

fn revoked(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, Problem> {
    let lists = CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|error| Problem::new(format!("not sound PEM: {error}")))?;
    if lists.is_empty() {
        let problem = Problem::new("no revocation list in this file");
        return Err(problem.hint("a PEM file has `-----BEGIN X509 CRL-----` in it"));
    }
    Ok(lists)
}

/// What two ends agree to speak, as an [`Alpn`].
impl ListenerTls {
    /// The protocol that `negotiated` names; `None`: the client did not say, or it is none of ours.
    pub fn alpn(negotiated: Option<&[u8]>) -> Option<Alpn> {
        [Alpn::Http2, Alpn::Http1].into_iter().find(|alpn| Some(alpn.as_str().as_bytes()) == negotiated)
    }
}
