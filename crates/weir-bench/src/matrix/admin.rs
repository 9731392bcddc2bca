//! The least of a client for the admin API: one request a connection, plain or in TLS, each within a bound.
//!
//! Whom it trusts is said by the scenario: one certificate by its SHA-256, or those of a file. It blocks, as there is
//! nothing else to do meanwhile.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
};
use serde_json::Value;

use super::scenario::{Admin, Fingerprint};
use crate::inject::Target as Url;

/// How long one step of a request may take. Judging the work of [`super::work`] on an emulated processor takes longest.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest answer.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Fields of an answer's head.
const FIELDS_MAX: usize = 64;

/// Why the admin API was of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// A file that the scenario names.
    #[error("can't read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file with nothing of use in it.
    #[error("{}: {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// No connection, or a broken one.
    #[error("the admin API at {url}: {error}{}", hint(error))]
    Connection {
        /// Where.
        url: String,
        /// What the system, or TLS, said.
        error: io::Error,
    },
    /// It answered something else.
    #[error("the admin API at {url} answered {status} to {request}: {text}")]
    Refused {
        /// Where.
        url: String,
        /// With which status.
        status: u16,
        /// What was asked.
        request: String,
        /// The beginning of what it said.
        text: String,
    },
    /// It is none.
    #[error("{url} does not answer as an admin API does: {why}")]
    Strange {
        /// Where.
        url: String,
        /// In words.
        why: String,
    },
}

/// What to do about it, where that is known.
fn hint(error: &io::Error) -> String {
    // So a socket says that its time is over.
    let is_over = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind());
    if is_over {
        format!(" (nothing for {} s)", PATIENCE.as_secs())
    } else if error.to_string().contains("certificate") {
        "; compare the scenario's `fingerprint` with the one that the appliance's console shows".into()
    } else {
        String::new()
    }
}

/// A target's admin API.
#[derive(Debug)]
pub(super) struct Client {
    url: Url,
    authorization: Option<String>,
    tls: Option<Arc<ClientConfig>>,
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Client {
    /// As the scenario says; relative paths are below `directory`.
    pub(super) fn new(admin: &Admin, directory: &Path) -> Result<Self, AdminError> {
        let read = |path: &Path| {
            let path = directory.join(path);
            fs::read(&path).map_err(|error| AdminError::File { path: path.clone(), error })
        };
        let authorization = match &admin.token_file {
            None => None,
            Some(path) => {
                let text = String::from_utf8_lossy(&read(path)?).into_owned();
                let wrong = |why| AdminError::Content { path: directory.join(path), why };
                let token =
                    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
                let token = token.ok_or_else(|| wrong("there is no token in it"))?;
                if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(wrong("its first line is no token"));
                }
                Some(format!("Bearer {token}"))
            }
        };
        let url = admin.url.plain();
        let tls = match (url.is_tls, &admin.fingerprint, &admin.ca) {
            (false, ..) => None,
            (true, Some(fingerprint), _) => Some(trusting_one(*fingerprint)),
            (true, None, Some(path)) => {
                let wrong = |why| AdminError::Content { path: directory.join(path), why };
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(&read(path)?) {
                    let certificate = certificate.map_err(|_| wrong("this is not PEM"))?;
                    roots.add(certificate).map_err(|_| wrong("a certificate in it can't be read"))?;
                }
                Some(trusting(roots).ok_or_else(|| wrong("there is no certificate in it"))?)
            }
            (true, None, None) => None,
        };
        Ok(Self { url, authorization, tls })
    }

    /// What the machine says of itself; none where it is too old to.
    pub(super) fn system(&self) -> Result<Option<Value>, AdminError> {
        let answer = self.ask("GET", "/api/v1/system", None)?;
        match answer.status {
            404 | 405 => Ok(None),
            _ => {
                let body = self.expect("GET /api/v1/system", answer)?;
                serde_json::from_slice(&body).map(Some).map_err(|error| self.strange(&error.to_string()))
            }
        }
    }

    /// Seconds of processor time that its process has had.
    pub(super) fn cpu_seconds(&self) -> Result<f64, AdminError> {
        let answer = self.ask("GET", "/metrics", None)?;
        let body = self.expect("GET /metrics", answer)?;
        let text = String::from_utf8_lossy(&body);
        cpu_of_metrics(&text).ok_or_else(|| self.strange("its metrics have no `process_cpu_seconds_total`"))
    }

    /// Replaces its configuration.
    pub(super) fn configure(&self, yaml: &[u8]) -> Result<(), AdminError> {
        let answer = self.ask("PUT", "/api/v1/config", Some(yaml))?;
        self.expect("PUT /api/v1/config", answer).map(drop)
    }

    /// Has it judge a configuration, whatever comes of that.
    pub(super) fn judge(&self, yaml: &[u8]) -> Result<(), AdminError> {
        let answer = self.ask("POST", "/api/v1/config/check", Some(yaml))?;
        match answer.status {
            422 => Ok(()),
            _ => self.expect("POST /api/v1/config/check", answer).map(drop),
        }
    }

    fn expect(&self, request: &str, answer: Answer) -> Result<Vec<u8>, AdminError> {
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        const SHOWN: usize = 300;
        let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(SHOWN)]).into_owned();
        Err(AdminError::Refused {
            url: self.url.to_string(),
            status: answer.status,
            request: request.into(),
            text,
        })
    }

    fn strange(&self, why: &str) -> AdminError {
        AdminError::Strange { url: self.url.to_string(), why: why.into() }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Answer, AdminError> {
        let bytes = self
            .exchange(method, path, body)
            .map_err(|error| AdminError::Connection { url: self.url.to_string(), error })?;
        parse(&bytes).map_err(|why| self.strange(why))
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&[u8]>) -> io::Result<Vec<u8>> {
        let socket = self.connect()?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let authorization =
            self.authorization.as_ref().map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
        let length = body.map_or(String::new(), |body| {
            format!("Content-Type: application/yaml\r\nContent-Length: {}\r\n", body.len())
        });
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{authorization}{length}Accept: */*\r\nConnection: close\r\n\r\n",
            self.url.authority()
        );
        let request = [head.as_bytes(), body.unwrap_or_default()].concat();
        match &self.tls {
            None => converse(socket, &request),
            Some(config) => {
                let name = ServerName::try_from(self.url.host.clone()).map_err(io::Error::other)?;
                let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                converse(StreamOwned::new(client, socket), &request)
            }
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (self.url.host.as_str(), self.url.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn converse(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut bytes = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes) {
        // An end without TLS' farewell; whether all of it is there is seen in the answer.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !bytes.is_empty() => {}
        outcome => {
            outcome?;
        }
    }
    Ok(bytes)
}

/// An answer with everything after it; the connection has ended.
fn parse(bytes: &[u8]) -> Result<Answer, &'static str> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Err("its answer is not whole"),
        Err(_) => return Err("its answer is not HTTP"),
    };
    let status = head.code.ok_or("its answer has no status")?;
    let field = |name: &str| {
        head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    let rest = &bytes[length..];
    let is_chunked = field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"));
    let body = if is_chunked {
        chunks(rest).ok_or("its answer is not whole")?
    } else {
        let announced =
            field("content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
        match announced {
            Some(announced) if rest.len() < announced => return Err("its answer is not whole"),
            Some(announced) => rest[..announced].to_vec(),
            None => rest.to_vec(),
        }
    };
    Ok(Answer { status, body })
}

/// The body that these chunks make (RFC 9112, section 7.1).
fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, size)) = httparse::parse_chunk_size(rest).ok()? else {
            return None;
        };
        let size = usize::try_from(size).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(start..start.checked_add(size)?)?);
        rest = rest.get(start + size + 2..)?;
    }
}

fn cpu_of_metrics(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("process_cpu_seconds_total"))?;
    line.rsplit_once(' ')?.1.trim().parse().ok()
}

fn trusting(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().ok()?;
    Some(config(provider, verifier))
}

fn trusting_one(fingerprint: Fingerprint) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    config(provider, Arc::new(Pinned { fingerprint, algorithms }))
}

fn config(provider: Arc<CryptoProvider>, verifier: Arc<dyn ServerCertVerifier>) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites of both versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Arc::new(config)
}

/// Trusts one certificate, whatever it says, because somebody compared its fingerprint.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = aws_lc_digest(certificate);
        if found == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        let digits: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        Err(rustls::Error::General(format!(
            "another certificate than the one to trust, with SHA-256 {digits}"
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn aws_lc_digest(bytes: &[u8]) -> Fingerprint {
    let digest = aws_lc_rs_digest::digest(&aws_lc_rs_digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_default()
}

use ::aws_lc_rs::digest as aws_lc_rs_digest;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let answer = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ab"[..]));
        let answer =
            parse(b"HTTP/1.1 404 N\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n")
                .unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (404, &b"abc"[..]));
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\n\r\nrest").unwrap().body, b"rest");
        for broken in [
            &b""[..],
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab",
        ] {
            assert!(parse(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn the_processor_time_is_found_among_metrics() {
        let text = "# HELP process_cpu_seconds_total x\n# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.25\n";
        assert_eq!(cpu_of_metrics(text), Some(1.25));
        assert_eq!(cpu_of_metrics("weir_x 1\n"), None);
    }
}
