//! TLS of the admin API: one certificate, HTTP/1.1.
//!
//! An expired certificate is warned of and shown, unlike a listener's: browsers and scripts refuse it by themselves, and
//! with no admin API nobody could put another in its place.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;

use super::files::Files;
use super::findings::Place;
use super::{Broken, Certificate, Loading};
use crate::codec::Problem;
use crate::model::{Alpn, CertificateFiles};

/// How the admin API speaks TLS, ready to serve.
#[derive(Debug)]
pub struct AdminTls {
    /// For each connection.
    pub config: Arc<ServerConfig>,
    /// What clients are shown.
    pub certificate: Arc<Certificate>,
}

impl Loading<'_> {
    /// `None` when it can't be made, which has been reported.
    pub(super) fn admin(&mut self, files: &CertificateFiles, read: &mut Files) -> Option<Arc<AdminTls>> {
        let before = self.before;
        let old = before.admin.as_ref();
        let Some(certificate) = self.admin_certificate(files, read) else {
            return old.filter(|_| self.broken == Broken::Kept).cloned();
        };
        read.certificates.insert(files.clone(), Arc::clone(&certificate));
        if let Some(old) = old.filter(|old| Arc::ptr_eq(&old.certificate, &certificate)) {
            return Some(Arc::clone(old));
        }
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions");
        let shown = SingleCertAndKey::from(Arc::clone(&certificate.key));
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = vec![Alpn::Http1.as_str().as_bytes().to_vec()];
        Some(Arc::new(AdminTls { config: Arc::new(config), certificate }))
    }

    fn admin_certificate(&mut self, files: &CertificateFiles, read: &mut Files) -> Option<Arc<Certificate>> {
        let place = Place::admin();
        let known = read.certificates.get(files);
        let known = known.or_else(|| self.before.files.certificates.get(files).filter(|old| old.is_fresh()));
        let certificate = match known {
            Some(known) => Ok(Arc::clone(known)),
            None if files.certificate.is_dir() => {
                let problem = Problem::new(format!("`{}` is a directory", files.certificate.display()));
                Err(("certificate", problem.hint("the admin API shows one certificate: name its file")))
            }
            None => Certificate::read(files, &self.provider).map(Arc::new),
        };
        match certificate {
            Ok(certificate) => {
                self.warn_of_time(&place, &certificate);
                Some(certificate)
            }
            Err((key, problem)) => {
                self.findings.problem(place.key(key), problem);
                None
            }
        }
    }
}
