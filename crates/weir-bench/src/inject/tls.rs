//! TLS towards the target: whom to believe, what to offer.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::InjectError;
use super::options::{Offer, Options, Version};
use crate::harness::tls::Unverified;

/// Sessions that can be resumed, where they may be.
const TICKETS: usize = 4096;

/// What every connection in TLS is made with.
#[derive(Debug, Clone)]
pub(super) struct ClientTls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl ClientTls {
    /// None where the targets are plain.
    ///
    /// # Errors
    /// When a file can't be used or a name is none.
    pub(super) fn new(options: &Options) -> Result<Option<Self>, InjectError> {
        let target = &options.targets[0];
        if !target.is_tls {
            return Ok(None);
        }
        let name = options.tls.server_name.as_ref().unwrap_or(&target.host);
        let name = ServerName::try_from(name.clone()).map_err(|_| InjectError::Option {
            option: "--server-name",
            why: format!("`{name}` is neither a name nor an address"),
        })?;
        let (provider, versions) = offered(options.tls.offer);
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("the provider has suites of these versions");
        let mut config = if options.tls.insecure {
            config.dangerous().with_custom_certificate_verifier(Arc::new(Unverified::new(schemes)))
        } else {
            config.with_root_certificates(roots(options)?)
        }
        .with_no_client_auth();
        config.alpn_protocols = match options.version {
            Version::Http2 => vec![b"h2".to_vec()],
            Version::Http11 => vec![b"http/1.1".to_vec()],
            Version::Http10 => vec![b"http/1.0".to_vec(), b"http/1.1".to_vec()],
        };
        config.resumption =
            if options.tls.resume { Resumption::in_memory_sessions(TICKETS) } else { Resumption::disabled() };
        Ok(Some(Self { config: Arc::new(config), name }))
    }
}

/// One version alone.
static NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];

fn offered(offer: Offer) -> (Arc<CryptoProvider>, &'static [&'static SupportedProtocolVersion]) {
    let only = |group| CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![group],
        ..default_provider()
    };
    let (provider, versions) = match offer {
        Offer::Usual => (default_provider(), ALL_VERSIONS),
        Offer::X25519 => (only(kx_group::X25519), NEWEST),
        Offer::Hybrid => (only(kx_group::X25519MLKEM768), NEWEST),
    };
    (Arc::new(provider), versions)
}

fn roots(options: &Options) -> Result<RootCertStore, InjectError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = &options.tls.ca else {
        let system = rustls_native_certs::load_native_certs().certs;
        let (added, _) = roots.add_parsable_certificates(system);
        if added == 0 {
            let why = "this system trusts nobody; name certificates with --ca, or say --insecure".into();
            return Err(InjectError::Option { option: "--ca", why });
        }
        return Ok(roots);
    };
    let refused =
        |why: String| InjectError::Option { option: "--ca", why: format!("{}: {why}", file.display()) };
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(error.to_string()))?;
    for certificate in certificates {
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("there is no certificate in it".into()));
    }
    Ok(roots)
}
