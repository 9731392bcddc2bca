//! The admin API's key, self-signed certificate and token, drawn at random at the first start of each machine.
//!
//! They serve where the configuration says nothing of `admin`. The certificate's names mean nothing: who connects compares
//! its fingerprint with the one on the console.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, rand};
use data_encoding::{BASE32_NOPAD, BASE64, HEXUPPER};

use crate::files::{self, FOR_CHILD, PUBLIC};

/// Bytes of a token: 160 bits, 32 letters and digits.
const TOKEN_BYTES: usize = 20;
const FILE_BYTES_MAX: u64 = 64 << 10;
/// For whom they were made.
const MADE_FOR: &str = "machine-id";
/// There once the console has shown the token.
const SHOWN: &str = "token-shown";

/// What serves the admin API.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) folder: PathBuf,
    /// SHA-256 of the certificate, as browsers show it.
    pub(crate) fingerprint: String,
    pub(crate) token: String,
    /// Whether an earlier start showed the token: nobody knows it until then, and the power may go before.
    pub(crate) shown: bool,
}

impl Admin {
    /// The console shows the token now, so later starts need not.
    pub(crate) fn mark_shown(&self) -> io::Result<()> {
        let marker = self.folder.join(SHOWN);
        if marker.exists() { Ok(()) } else { files::write(&marker, b"", PUBLIC) }
    }
}

/// They can't be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("the certificate of the admin API can't be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("no randomness for the token of the admin API")]
    Random,
    #[error("the certificate and the token of the admin API can't be kept: {0}")]
    Io(#[from] io::Error),
}

/// Those in `folder`; new ones where there are none, or where they were made for another machine: a clone must not have its
/// original's keys.
pub(crate) fn prepare(folder: &Path, machine_id: Option<&str>) -> Result<Admin, AdminError> {
    let made_for = files::read_text(&folder.join(MADE_FOR), FILE_BYTES_MAX).ok();
    let same = match (made_for.as_deref().map(str::trim), machine_id) {
        (Some(made_for), Some(id)) => made_for == id || made_for.is_empty(),
        (None | Some(_), None) | (None, Some(_)) => true,
    };
    if let Some(kept) = kept(folder).filter(|_| same) {
        return Ok(kept);
    }
    std::fs::create_dir_all(folder)?;
    let made = make(folder)?;
    files::write(&folder.join(MADE_FOR), machine_id.unwrap_or_default().as_bytes(), PUBLIC)?;
    Ok(made)
}

fn kept(folder: &Path) -> Option<Admin> {
    let read = |name: &str| files::read_text(&folder.join(name), FILE_BYTES_MAX).ok();
    read("key.pem").filter(|key| key.contains("PRIVATE KEY"))?;
    let fingerprint = fingerprint(&read("certificate.pem")?)?;
    let token = read("token")?.lines().next()?.to_owned();
    let shown = folder.join(SHOWN).exists();
    Some(Admin { folder: folder.to_owned(), fingerprint, token, shown })
}

fn make(folder: &Path) -> Result<Admin, AdminError> {
    let key = rcgen::KeyPair::generate()?;
    let names = ["weir", "localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut parameters = rcgen::CertificateParams::new(names)?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "Weir appliance");
    // The clock may not be set yet, so both ends are fixed.
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2049, 12, 31);
    let certificate = parameters.self_signed(&key)?.pem();

    let mut drawn = [0; TOKEN_BYTES];
    rand::fill(&mut drawn).map_err(|_| AdminError::Random)?;
    let token = BASE32_NOPAD.encode(&drawn).to_lowercase();

    match std::fs::remove_file(folder.join(SHOWN)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    files::write(&folder.join("key.pem"), key.serialize_pem().as_bytes(), FOR_CHILD)?;
    files::write(&folder.join("certificate.pem"), certificate.as_bytes(), FOR_CHILD)?;
    files::write(&folder.join("token"), format!("{token}\n").as_bytes(), FOR_CHILD)?;
    let fingerprint = fingerprint(&certificate).unwrap_or_default();
    Ok(Admin { folder: folder.to_owned(), fingerprint, token, shown: false })
}

/// `AB:CD:…` of the first certificate.
fn fingerprint(pem: &str) -> Option<String> {
    let body = pem.split_once("-----BEGIN CERTIFICATE-----")?.1.split_once("-----END")?.0;
    let der = BASE64.decode(body.split_whitespace().collect::<String>().as_bytes()).ok()?;
    let sum = digest::digest(&digest::SHA256, &der);
    let pairs: Vec<String> = sum.as_ref().iter().map(|byte| HEXUPPER.encode(&[*byte])).collect();
    Some(pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;

    #[test]
    fn they_are_made_once_for_each_machine() {
        let folder = Folder::new();
        let first = prepare(folder.path(), Some("i-1")).unwrap();
        assert!(!first.shown && first.token.len() == 32 && first.fingerprint.len() == 32 * 3 - 1);
        let again = prepare(folder.path(), Some("i-1")).unwrap();
        assert!(!again.shown, "nobody has seen it");
        assert_eq!((&again.token, &again.fingerprint), (&first.token, &first.fingerprint));
        again.mark_shown().unwrap();
        let again = prepare(folder.path(), None).unwrap();
        assert_eq!((again.shown, &again.token), (true, &first.token));
        let clone = prepare(folder.path(), Some("i-2")).unwrap();
        assert!(!clone.shown && clone.token != first.token && clone.fingerprint != first.fingerprint);
    }

    #[test]
    fn what_was_cut_short_is_made_anew() {
        let folder = Folder::new();
        let mut tokens = vec![prepare(folder.path(), None).unwrap().token];
        let mut again = |cut_short: &dyn Fn()| {
            cut_short();
            let made = prepare(folder.path(), None).unwrap();
            assert!(!made.shown && !tokens.contains(&made.token));
            made.mark_shown().unwrap();
            tokens.push(made.token);
        };
        again(&|| std::fs::write(folder.path().join("key.pem"), "").unwrap());
        again(&|| {
            std::fs::write(folder.path().join("certificate.pem"), "-----BEGIN CERTIFICATE-----\n!").unwrap();
        });
        again(&|| std::fs::remove_file(folder.path().join("token")).unwrap());
    }
}
