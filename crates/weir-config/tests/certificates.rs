//! Many certificates: how long they take, and that only what changed is read again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says how long it took")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_config::model::Admin;
use weir_config::tls::Tls;
use weir_config::{Ready, load};

const CERTIFICATES: usize = 10_000;

/// A directory that is gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-config-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A certificate with its key in one file.
fn issue(path: &Path, name: &str) {
    let draft = path.with_extension("new");
    let issued = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ])
        .args([
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            &format!("subjectAltName=DNS:{name},DNS:*.{name}"),
        ])
        .args(["-keyout", &format!("{}.key", draft.display()), "-out"])
        .arg(&draft)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("openssl is installed; `make test` does");
    assert!(issued.success());
    let key = std::fs::read_to_string(format!("{}.key", draft.display())).unwrap();
    let both = std::fs::read_to_string(&draft).unwrap() + &key;
    std::fs::write(&draft, both).unwrap();
    std::fs::rename(&draft, path).unwrap();
    std::fs::remove_file(format!("{}.key", draft.display())).unwrap();
}

fn text(folder: &Path) -> String {
    format!(
        "version: 1\nlisteners:\n  web:\n    bind: 127.0.0.1:0\n    tls: {{ certificates: \"{}\" }}\n    \
         routes: [{{ respond: {{}} }}]\n",
        folder.display()
    )
}

/// The bounds are those of a debug build on a busy machine; a release build takes a fraction of them.
#[test]
fn ten_thousand_certificates_load_in_seconds_and_one_that_changed_in_no_time() {
    let directory = Directory::new("many");
    // A few pairs, many files: reading and judging cost the same.
    let originals: Vec<_> = (0..10)
        .map(|n| {
            let path = directory.0.join(format!("original-{n}"));
            issue(&path, &format!("n{n}.test"));
            std::fs::read(path).unwrap()
        })
        .collect();
    let folder = directory.0.join("all");
    std::fs::create_dir(&folder).unwrap();
    for n in 0..CERTIFICATES {
        std::fs::write(folder.join(format!("{n:05}.pem")), &originals[n % originals.len()]).unwrap();
    }
    let text = text(&folder);

    let began = Instant::now();
    let Ready { tls: first, config, .. } = load(&text, &Tls::default()).unwrap();
    let all = began.elapsed();
    assert_eq!(first.listener("web").unwrap().certificates.len(), CERTIFICATES);

    issue(&folder.join("00017.pem"), "changed.test");
    let began = Instant::now();
    let Ready { tls: second, .. } = load(&text, &first).unwrap();
    let one = began.elapsed();
    let (before, after) = (first.listener("web").unwrap(), second.listener("web").unwrap());
    let changed: Vec<_> = before
        .certificates
        .iter()
        .zip(&after.certificates)
        .filter(|(before, after)| !Arc::ptr_eq(before, after))
        .map(|(_, after)| after.names.clone())
        .collect();
    assert_eq!(changed.len(), 1, "only what changed is read");
    assert_eq!(&*changed[0][0], "changed.test");

    let began = Instant::now();
    let (third, broken) = weir_config::tls::refresh(&config, &Admin::default(), &second);
    let none = began.elapsed();
    assert!(third.is_same(&second) && broken.is_empty());
    eprintln!("{CERTIFICATES} certificates: all in {all:?}, one in {one:?}, none in {none:?}");
    assert!(all < Duration::from_secs(30) && one < Duration::from_secs(5) && none < Duration::from_secs(5));
}
