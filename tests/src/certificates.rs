//! Certificates for tests, made by the `openssl` command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Directory;

/// An authority with a directory for all that it issues.
#[derive(Debug)]
pub struct Authority {
    directory: Directory,
}

/// What a certificate is to be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The subject, such as `/O=Example/CN=ada`.
    pub subject: &'a str,
    /// Its alternative names, such as `DNS:a.test,IP:127.0.0.1`.
    pub names: &'a str,
    /// With an RSA key in place of an ECDSA one.
    pub rsa: bool,
    /// From and until when it is valid, if not for a month from now: `YYMMDDHHMMSSZ`.
    pub times: Option<(&'a str, &'a str)>,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self { subject: "/CN=test", names: "DNS:test", rsa: false, times: None }
    }
}

/// Runs the `openssl` command; its standard output.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed; `make test` does");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When `openssl` fails.
    pub fn new() -> Self {
        let authority = Self { directory: Directory::new() };
        let here = authority.directory.path().display();
        authority.directory.write(
            "ca.cnf",
            &format!(
                "[ca]\ndefault_ca = a\n[a]\ndir = {here}\ndatabase = {here}/index\nserial = {here}/serial\n\
                 new_certs_dir = {here}\ncertificate = {here}/ca.pem\nprivate_key = {here}/ca.key\n\
                 default_md = sha256\ndefault_days = 30\ndefault_crl_days = 30\npolicy = p\ncopy_extensions = copy\n\
                 unique_subject = no\nrand_serial = yes\ncrlnumber = {here}/crlnumber\ncrl_extensions = c\n[c]\n\
                 authorityKeyIdentifier = keyid\n[p]\norganizationName = optional\ncommonName = optional\n\
                 [req]\ndistinguished_name = n\n[n]\n"
            ),
        );
        authority.directory.write("index", "");
        authority.directory.write("crlnumber", "01");
        let number = authority.directory.path().file_name().unwrap().to_string_lossy();
        let subject = format!("/CN=Authority of {number}");
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            &subject,
            "-keyout",
            &authority.path("ca.key"),
            "-out",
            &authority.path("ca.pem"),
        ]);
        authority
    }

    /// A file of its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.file(name)
    }

    /// The same as text.
    pub fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// The authority's own certificate.
    pub fn ca(&self) -> String {
        self.path("ca.pem")
    }

    /// Issues `NAME.pem` and `NAME.key`, both replaced whole; the former's path.
    ///
    /// # Panics
    /// When `openssl` fails.
    pub fn issue(&self, name: &str, wanted: Wanted<'_>) -> String {
        let Wanted { subject, names, rsa, times } = wanted;
        let (request, key, draft) = (
            self.path(&format!("{name}.csr")),
            self.path(&format!("{name}.key")),
            self.path(&format!("{name}.crt")),
        );
        let kind: &[&str] = if rsa { &["rsa:2048"] } else { &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] };
        let config = self.path("ca.cnf");
        let extension = format!("subjectAltName={names}");
        let mut arguments = vec!["req", "-new", "-nodes", "-config", &config, "-subj", subject];
        arguments.extend(["-addext", &extension, "-out", &request, "-keyout", &key, "-newkey"]);
        arguments.extend(kind);
        openssl(&arguments);
        let mut arguments =
            vec!["ca", "-batch", "-notext", "-config", &config, "-in", &request, "-out", &draft];
        if let Some((from, until)) = times {
            arguments.extend(["-startdate", from, "-enddate", until]);
        }
        openssl(&arguments);
        let certificate = self.path(&format!("{name}.pem"));
        std::fs::rename(draft, &certificate).unwrap();
        certificate
    }

    /// Revokes certificates; the path of the list.
    ///
    /// # Panics
    /// When `openssl` fails.
    pub fn revoke(&self, certificates: &[&str]) -> String {
        let (config, list) = (self.path("ca.cnf"), self.path("revoked.crl"));
        for certificate in certificates {
            openssl(&["ca", "-config", &config, "-revoke", certificate]);
        }
        openssl(&["ca", "-config", &config, "-gencrl", "-out", &list]);
        list
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
