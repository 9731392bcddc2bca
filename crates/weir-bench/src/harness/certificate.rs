//! The certificate that every proxy shows, and what OpenSSL's clients may offer: files in the directory of the run.
//!
//! A client decides here what a handshake is: it offers TLS 1.3 with one cipher suite and one group alone, so every
//! server does the same work, whatever it would have preferred.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::process::quiet;

/// The name that it is for.
pub const HOST: &str = "bench.example";

/// What `OPENSSL_CONF` names, for the clients and for making the certificate.
const CONFIGURATION: &str = "\
openssl_conf = openssl_init

[openssl_init]
ssl_conf = ssl

[ssl]
system_default = client

[client]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519

[req]
distinguished_name = name
x509_extensions = extensions
prompt = no

[name]
CN = bench.example

[extensions]
subjectAltName = DNS:bench.example
basicConstraints = critical, CA:FALSE
";

/// Where the files are, whether or not they have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, which signs itself.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Both in one file.
    pub both: PathBuf,
    /// What OpenSSL's clients may offer.
    pub client_configuration: PathBuf,
}

impl Certificate {
    /// The files in `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            certificate: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
            both: directory.join("both.pem"),
            client_configuration: directory.join("openssl.cnf"),
        }
    }

    /// Makes them: ECDSA with P-256, as most sites have it.
    ///
    /// # Errors
    /// When there is no `openssl`, or it makes none.
    pub fn make(&self) -> anyhow::Result<()> {
        fs::write(&self.client_configuration, CONFIGURATION)?;
        let mut command = quiet(Path::new("openssl"));
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "7", "-config"]).arg(&self.client_configuration);
        command.arg("-keyout").arg(&self.key).arg("-out").arg(&self.certificate);
        let status = command.status().context("cannot start openssl; `apt-get install openssl` gets it")?;
        if !status.success() {
            bail!("openssl made no certificate ({status})");
        }
        let both = [fs::read(&self.certificate)?, fs::read(&self.key)?].concat();
        fs::write(&self.both, both).context("cannot write the certificate")
    }
}
