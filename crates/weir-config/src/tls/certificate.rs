//! Certificates with their keys: read, judged, and kept until a file of theirs changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::files::{self, Files, Stamp};
use super::findings::Place;
use super::{Broken, Loading};
use crate::codec::Problem;
use crate::model::{CertificateFiles, Config};

/// A certificate with its key, ready to be shown.
#[derive(Debug)]
pub struct Certificate {
    /// The file that it is in.
    pub path: PathBuf,
    /// The hosts that it is for, in lower case; `*.` stands for any first part.
    pub names: Vec<Arc<str>>,
    /// When its time begins.
    pub not_before: SystemTime,
    /// When its time ends.
    pub not_after: SystemTime,
    pub(super) is_rsa: bool,
    pub(super) key: Arc<CertifiedKey>,
    /// The files that it was made of; `None` is one that was not there.
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

/// Which of a certificate's keys in the configuration a mistake is about.
type Key = &'static str;

/// What a certificate was made of, if it is of use.
type Outcome = Result<Arc<Certificate>, (Key, Problem)>;

/// Up to so many threads read at once.
const THREADS_MAX: usize = 16;

impl Loading<'_> {
    /// The certificates of each listener, with their places, in the order of the file.
    pub(super) fn certificates(
        &mut self,
        config: &Config,
        files: &mut Files,
    ) -> Vec<Vec<(Place, Arc<Certificate>)>> {
        let mut wanted = Vec::new();
        for (listener, config) in config.listeners.iter().enumerate() {
            let certificates = config.tls.iter().flat_map(|tls| &tls.certificates);
            for (index, certificate) in certificates.enumerate() {
                let place = Place::listener(&config.name).key("certificates").item(index);
                self.expand(certificate, &place, |files| wanted.push((listener, place.clone(), files)));
            }
        }
        let mut paths: Vec<_> = wanted.iter().map(|(.., files)| files).collect();
        paths.sort_by_key(|files| (&files.certificate, &files.key, &files.ocsp));
        paths.dedup(); // what is named twice is read once, and is one certificate
        let outcomes = read_all(&paths, &self.before.files, &self.provider);
        let outcomes: HashMap<_, _> = paths.into_iter().cloned().zip(outcomes).collect();
        let mut all: Vec<_> = config.listeners.iter().map(|_| Vec::new()).collect();
        for (listener, place, wanted) in wanted {
            let certificate = match &outcomes[&wanted] {
                Ok(certificate) => self.in_time(&place, Arc::clone(certificate)),
                Err((key, problem)) => {
                    self.findings.problem(place.clone().key(key), problem.clone());
                    None
                }
            };
            let old = self.before.files.certificates.get(&wanted).filter(|_| self.broken == Broken::Kept);
            if let Some(certificate) = certificate.or_else(|| old.cloned()) {
                files.certificates.insert(wanted, Arc::clone(&certificate));
                all[listener].push((place, certificate));
            }
        }
        all
    }

    /// One certificate for each `*.pem` of a directory.
    fn expand(&mut self, files: &CertificateFiles, place: &Place, mut one: impl FnMut(CertificateFiles)) {
        if !files.certificate.is_dir() {
            return one(files.clone());
        }
        let place = place.clone().key("certificate");
        if files.key.is_some() || files.ocsp.is_some() {
            let problem = Problem::new(format!("`{}` is a directory", files.certificate.display()));
            let hint = "its keys and OCSP responses stand in it, beside their certificates";
            return self.findings.problem(place, problem.hint(hint));
        }
        let entries = std::fs::read_dir(&files.certificate).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        match entries {
            Err(error) => self.findings.problem(place, files::unreadable(&files.certificate, &error)),
            Ok(mut paths) => {
                paths.retain(|path| path.extension().is_some_and(|ending| ending == "pem"));
                paths.sort();
                if paths.is_empty() {
                    let problem = Problem::new(format!("no `*.pem` in `{}`", files.certificate.display()));
                    self.findings.problem(place, problem);
                }
                for certificate in paths {
                    one(CertificateFiles { certificate, key: None, ocsp: None });
                }
            }
        }
    }

    /// A certificate whose time is over is refused, unless it serves already and nobody asked.
    pub(super) fn in_time(
        &mut self,
        place: &Place,
        certificate: Arc<Certificate>,
    ) -> Option<Arc<Certificate>> {
        if let Some(problem) = self.expired(&certificate) {
            let problem = problem.hint("renew it, or remove it from the file");
            self.findings.problem(place.clone().key("certificate"), problem);
            return None;
        }
        self.warn_of_early(place, &certificate);
        Some(certificate)
    }

    /// Says that a certificate's time is over or has not begun, and leaves it at that.
    pub(super) fn warn_of_time(&mut self, place: &Place, certificate: &Certificate) {
        if let Some(problem) = self.expired(certificate) {
            let problem = problem.hint("renew it: browsers and scripts refuse it");
            self.findings.warning(place.clone().key("certificate"), problem);
        }
        self.warn_of_early(place, certificate);
    }

    fn expired(&self, certificate: &Certificate) -> Option<Problem> {
        let ago = self.now.duration_since(certificate.not_after).ok()?;
        let path = certificate.path.display();
        Some(Problem::new(format!("the certificate in `{path}` expired {} ago", in_words(ago))))
    }

    fn warn_of_early(&mut self, place: &Place, certificate: &Certificate) {
        let Ok(left) = certificate.not_before.duration_since(self.now) else { return };
        if left.is_zero() {
            return;
        }
        let path = certificate.path.display();
        let problem = format!("the certificate in `{path}` is not valid before {} from now", in_words(left));
        let place = place.clone().key("certificate");
        self.findings.warning(place, Problem::new(problem).hint("is this machine's clock right?"));
    }
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..7200 => format!("{} minutes", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Reads many at once, each thread taking the next one.
fn read_all(wanted: &[&CertificateFiles], before: &Files, provider: &CryptoProvider) -> Vec<Outcome> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(THREADS_MAX).min(wanted.len() / 16 + 1);
    let one = |index: usize| {
        let files = wanted[index];
        match before.certificates.get(files).filter(|old| old.is_fresh()) {
            Some(old) => Ok(Arc::clone(old)),
            None => Certificate::read(files, provider).map(Arc::new),
        }
    };
    if threads == 1 {
        return (0..wanted.len()).map(one).collect();
    }
    let next = AtomicUsize::new(0);
    let (done, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (next, one, done) = (&next, &one, done.clone());
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= wanted.len() {
                        return;
                    }
                    let _ = done.send((index, one(index))); // the receiver outlives the scope
                }
            });
        }
    });
    drop(done);
    let mut outcomes: Vec<_> = outcomes.into_iter().collect();
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

impl Certificate {
    /// Whether all files are as they were.
    pub(super) fn is_fresh(&self) -> bool {
        self.stamps.iter().all(|(path, stamp)| Stamp::now(path) == *stamp)
    }

    /// Reads a certificate with its key and its OCSP response.
    pub(super) fn read(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Self, (Key, Problem)> {
        let path = &files.certificate;
        let shown = path.display();
        let here = |problem: Problem| ("certificate", problem);
        let (bytes, stamp) = files::read(path).map_err(|error| here(files::unreadable(path, &error)))?;
        let mut stamps = vec![(path.clone(), Some(stamp))];
        let chain = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| here(Problem::new(format!("`{shown}` is not sound PEM: {error}"))))?;
        let Some(first) = chain.first() else {
            let problem = Problem::new(format!("no certificate in `{shown}`"));
            let hint = "a PEM file has `-----BEGIN CERTIFICATE-----` in it; `openssl x509 -inform der` makes one of DER";
            return Err(here(problem.hint(hint)));
        };
        let (_, leaf) = X509Certificate::from_der(first).map_err(|error| {
            here(Problem::new(format!("the certificate in `{shown}` is not sound: {error}")))
        })?;
        let names = names(&leaf);
        let (not_before, not_after) = (time(leaf.validity().not_before), time(leaf.validity().not_after));

        let (key, key_path) = match &files.key {
            Some(path) => (private_key(path, &mut stamps).map_err(|problem| ("key", problem))?, path.clone()),
            None => match PrivateKeyDer::from_pem_slice(&bytes) {
                Ok(key) => (key, path.clone()),
                Err(_none_here) => {
                    let beside = path.with_extension("key");
                    if !beside.exists() {
                        let problem = Problem::new(format!("no private key in `{shown}`"));
                        let hint =
                            format!("put it there, in `{}`, or name its file with `key`", beside.display());
                        return Err(here(problem.hint(hint)));
                    }
                    (private_key(&beside, &mut stamps).map_err(here)?, beside)
                }
            },
        };
        let of_key = if files.key.is_some() { "key" } else { "certificate" };
        let mut key = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let key_shown = key_path.display();
            let problem = if error == rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
                Problem::new(format!(
                    "the private key in `{key_shown}` is not that of the certificate in `{shown}`"
                ))
                .hint("the server's own certificate must be the first in its file")
            } else {
                Problem::new(format!("the private key in `{key_shown}` can't be used: {error}"))
                    .hint("keys are RSA of 2048 bits or more, ECDSA P-256, P-384 or P-521, or Ed25519")
            };
            (of_key, problem)
        })?;
        key.ocsp = ocsp(files, &mut stamps).map_err(|problem| ("ocsp", problem))?;
        let is_rsa = key.key.algorithm() == SignatureAlgorithm::RSA;
        Ok(Self { path: path.clone(), names, not_before, not_after, is_rsa, key: Arc::new(key), stamps })
    }
}

fn private_key(
    path: &Path,
    stamps: &mut Vec<(PathBuf, Option<Stamp>)>,
) -> Result<PrivateKeyDer<'static>, Problem> {
    let (bytes, stamp) = files::read(path).map_err(|error| files::unreadable(path, &error))?;
    stamps.push((path.to_owned(), Some(stamp)));
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        if matches!(error, pem::Error::NoItemsFound) {
            return Problem::new(format!("no private key in `{}`", path.display()))
                .hint("a key that is encrypted can't be read; `openssl pkey` decrypts it");
        }
        Problem::new(format!("`{}` is not sound PEM: {error}", path.display()))
    })
}

/// The OCSP response that is named, or the one beside the certificate.
fn ocsp(
    files: &CertificateFiles,
    stamps: &mut Vec<(PathBuf, Option<Stamp>)>,
) -> Result<Option<Vec<u8>>, Problem> {
    let path = files.ocsp.clone().unwrap_or_else(|| files.certificate.with_extension("ocsp"));
    if files.ocsp.is_none() && !path.exists() {
        stamps.push((path, None));
        return Ok(None);
    }
    let (bytes, stamp) = files::read(&path).map_err(|error| files::unreadable(&path, &error))?;
    // A DER sequence, RFC 6960 section 4.2.1; whether it is about this certificate is for clients to judge.
    if bytes.first() != Some(&0x30) {
        let problem = Problem::new(format!("`{}` is not an OCSP response in DER", path.display()));
        return Err(problem.hint("`openssl ocsp -respout` writes one"));
    }
    stamps.push((path, Some(stamp)));
    Ok(Some(bytes))
}

/// The hosts that a certificate is for: its alternative names, else, as long ago, its common name.
fn names(certificate: &X509Certificate<'_>) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        for name in &alternative.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(name.to_ascii_lowercase().into());
            }
        }
    } else if let Some(name) =
        certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok())
    {
        names.push(name.to_ascii_lowercase().into());
    }
    names
}

fn time(time: x509_parser::time::ASN1Time) -> SystemTime {
    u64::try_from(time.timestamp())
        .map_or(SystemTime::UNIX_EPOCH, |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
