//! The certificate that every proxy shows: files in the directory of the run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::process::quiet;

/// The name that it is for.
pub const HOST: &str = "bench.example";

/// What `openssl` makes it from.
const CONFIGURATION: &str = "\
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
    /// What it is made from.
    configuration: PathBuf,
}

impl Certificate {
    /// The files in `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            certificate: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
            both: directory.join("both.pem"),
            configuration: directory.join("openssl.cnf"),
        }
    }

    /// Makes them: ECDSA with P-256, as most sites have it.
    ///
    /// # Errors
    /// When there is no `openssl`, or it makes none.
    pub fn make(&self) -> anyhow::Result<()> {
        fs::write(&self.configuration, CONFIGURATION)?;
        let mut command = quiet(Path::new("openssl"));
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "7", "-config"]).arg(&self.configuration);
        command.arg("-keyout").arg(&self.key).arg("-out").arg(&self.certificate);
        let status = command.status().context("cannot start openssl; `apt-get install openssl` gets it")?;
        if !status.success() {
            bail!("openssl made no certificate ({status})");
        }
        let both = [fs::read(&self.certificate)?, fs::read(&self.key)?].concat();
        fs::write(&self.both, both).context("cannot write the certificate")
    }
}
