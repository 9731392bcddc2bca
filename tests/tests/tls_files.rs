//! The files that TLS needs: what is wrong with them, and that changes are seen.

use std::fs;

use serde_json::Value;
use weir_tests::{Authority, Wanted, Weir, eventually, openssl, weir};

/// What `weir check` says of a listener with this TLS and a pool with that one.
fn check(authority: &Authority, listener: &str, pool: &str) -> (Option<i32>, String) {
    let text = config(listener, pool);
    let file = authority.file("candidate.yaml");
    fs::write(&file, text).unwrap();
    let output = weir().arg("check").arg("--config").arg(&file).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn config(listener: &str, pool: &str) -> String {
    let tls = |tls: &str| if tls.is_empty() { String::new() } else { format!("    tls: {tls}\n") };
    format!(
        "version: 1\nadmin: {{ bind: \"127.0.0.1:0\" }}\nlisteners:\n  web:\n    bind: \"127.0.0.1:0\"\n{}    \
         routes: [{{ pool: web }}]\npools:\n  web:\n    servers: [\"127.0.0.1:1\"]\n{}",
        tls(listener),
        tls(pool)
    )
}

/// The certificate of the authority's that `web` shows.
fn shown(weir: &Weir) -> String {
    let said = std::process::Command::new("openssl")
        .args(["s_client", "-servername", "a.test", "-connect", &weir.web().to_string()])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let begin = said.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{said}"));
    let end = said.find("-----END CERTIFICATE-----").unwrap();
    said[begin..end].to_owned()
}

fn pem(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    text[..text.find("-----END CERTIFICATE-----").unwrap()].to_owned()
}

#[test]
fn mistakes_in_files_are_told_at_their_paths_with_a_remedy() {
    let authority = Authority::new();
    let a = authority.issue("a", Wanted::default());
    let b = authority.issue("b", Wanted { names: "DNS:b.test", ..Wanted::default() });
    let old = Wanted { times: Some(("200101000000Z", "200201000000Z")), ..Wanted::default() };
    let expired = authority.issue("expired", old);
    let new = Wanted { times: Some(("400101000000Z", "400201000000Z")), ..Wanted::default() };
    let early = authority.issue("early", new);
    let write = |name: &str, text: &str| {
        fs::write(authority.file(name), text).unwrap();
        authority.path(name)
    };
    let empty = write("empty.pem", "nothing here\n");
    let broken = write("broken.pem", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
    let no_key = write("lonely.pem", &fs::read_to_string(&a).unwrap());
    let encrypted = authority.path("encrypted.key");
    openssl(&["pkey", "-in", &authority.path("a.key"), "-aes256", "-passout", "pass:x", "-out", &encrypted]);
    let (a_key, b_key, missing) =
        (authority.path("a.key"), authority.path("b.key"), authority.path("missing.pem"));
    let one = |certificate: &str| format!("{{ certificates: \"{certificate}\" }}");
    let with = |certificate: &str, key: &str| {
        format!("{{ certificates: {{ certificate: \"{certificate}\", key: \"{key}\" }} }}")
    };
    let clients = |more: &str| format!("{{ certificates: \"{a}\", client_certificates: {{ {more} }} }}");
    let here = "6:";
    for (listener, place, expected) in [
        (one(&missing), here, vec!["can't read", &missing, "No such file"]),
        (one(&empty), here, vec!["no certificate in", &empty, "openssl x509"]),
        (one(&broken), here, vec!["not sound PEM", &broken]),
        (one(&no_key), here, vec!["no private key in", &no_key, "lonely.key", "`key`"]),
        (one(&expired), here, vec!["expired", &expired, "days ago", "renew it"]),
        (one(&early), "", vec!["is not valid before", "clock", "1 warning", "valid (1 listener"]),
        (with(&a, &b_key), here, vec!["is not that of the certificate", &a, &b_key]),
        (with(&a, &encrypted), here, vec!["no private key in", &encrypted, "decrypts"]),
        (with(&a, &a), here, vec!["no private key in", &a]),
        (one(&authority.path("nowhere/")), here, vec!["can't read", "nowhere"]),
        (with(&authority.directory().display().to_string(), &a_key), here, vec!["is a directory", "beside"]),
        (clients(&format!("ca: \"{missing}\"")), here, vec!["can't read", &missing]),
        (clients(&format!("ca: \"{empty}\"")), here, vec!["no authority's certificate"]),
        (clients(&format!("ca: \"{a}\", crl: \"{a}\"")), here, vec!["no revocation list", "X509 CRL"]),
        (
            format!("{{ certificates: [\"{a}\", \"{b}\", \"{a}\"] }}"),
            "",
            vec!["another certificate before", "`test`"],
        ),
        (format!("{{ certificates: \"{a}\", alpn: [http/1.1, http/1.1] }}"), here, vec!["stands here twice"]),
    ] {
        let (status, said) = check(&authority, &listener, "");
        assert_eq!(status, Some(i32::from(!place.is_empty())), "{listener}:\n{said}");
        for text in expected {
            assert!(said.contains(text), "{text:?} is missing of {listener}:\n{said}");
        }
        assert!(said.contains(&format!("candidate.yaml:{place}")), "{said}");
    }
    assert_eq!(check(&authority, &format!("{{ certificates: [\"{a}\", \"{b}\"] }}"), "").0, Some(0));

    for (pool, status, expected) in [
        ("{ verify: none }".to_owned(), 0, "whoever answers"),
        (format!("{{ ca: \"{missing}\" }}"), 1, "can't read"),
        (format!("{{ ca: \"{empty}\" }}"), 1, "no authority's certificate"),
        (format!("{{ ca: \"{a}\", certificate: \"{b}\", key: \"{a_key}\" }}"), 1, "is not that of"),
        (format!("{{ ca: \"{a}\", key: \"{a_key}\" }}"), 1, "without its `certificate`"),
        (format!("{{ ca: \"{a}\", certificate: \"{expired}\" }}"), 1, "expired"),
        (format!("{{ ca: \"{a}\", server_name: \"x..y\" }}"), 1, "x..y"),
        (format!("{{ ca: \"{a}\", certificate: \"{a}\" }}"), 0, "valid"),
    ] {
        let (code, said) = check(&authority, "", &pool);
        assert_eq!(code, Some(status), "{pool}:\n{said}");
        assert!(said.contains(expected), "{pool}:\n{said}");
        assert!(said.contains("candidate.yaml:10:") || !said.contains("error"), "{said}");
    }
}

#[test]
fn all_mistakes_come_at_once_and_a_start_is_refused() {
    let authority = Authority::new();
    let text = config(
        "{ certificates: [/no/a.pem, { certificate: /no/b.pem, key: /no/b.key }] }",
        "{ ca: /no/ca.pem }",
    );
    let file = authority.file("weir.yaml");
    fs::write(&file, text).unwrap();
    for command in ["check", "run"] {
        let output = weir().arg(command).arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        for expected in ["/no/a.pem", "/no/b.pem", "/no/ca.pem", "3 errors"] {
            assert!(said.contains(expected), "{command}: {said}");
        }
    }
}

#[test]
fn the_api_tells_the_same_and_changes_nothing() {
    let authority = Authority::new();
    let good = authority.issue("a", Wanted::default());
    let weir = Weir::start(&config(&format!("{{ certificates: \"{good}\" }}"), ""));
    let before = shown(&weir);
    let bad = config("{ certificates: /no/such.pem }", "");
    let answer = weir.admin().request("POST", "/api/v1/config/check", "application/yaml", &bad);
    let verdict: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&verdict["valid"], &verdict["errors"]), (&Value::Bool(false), &Value::from(1)));
    let found = &verdict["diagnostics"][0];
    assert_eq!(found["path"], "listeners.web.tls.certificates");
    assert!(found["message"].as_str().unwrap().contains("/no/such.pem"));
    let refused = weir.admin().put_config(&bad);
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("/no/such.pem"));
    assert_eq!(shown(&weir), before);
    // What runs is shown with its paths, and loads again.
    let running = weir.admin().get("/api/v1/config").text();
    assert!(running.contains(&good), "{running}");
    assert_eq!(weir.admin().put_config(&running).status, 200);
}

#[test]
fn changed_files_are_taken_without_being_asked_and_broken_ones_are_not() {
    let authority = Authority::new();
    let wanted = Wanted { names: "DNS:a.test", ..Wanted::default() };
    let path = authority.issue("a", wanted);
    let listener = format!("{{ certificates: \"{path}\" }}");
    let weir = Weir::start(&config(&listener, ""));
    assert_eq!(shown(&weir), pem(&path));

    authority.issue("a", wanted);
    eventually("the new certificate is shown", || shown(&weir) == pem(&path));
    weir.await_said("changed certificates taken");

    // A certificate whose key is not there yet.
    let good = pem(&path);
    let key = fs::read(authority.file("a.key")).unwrap();
    let other = authority.issue("b", wanted);
    fs::write(&path, fs::read(&other).unwrap()).unwrap();
    weir.await_said("is not that of the certificate");
    assert_eq!(shown(&weir), good);
    // Whoever asks for it is told.
    let (status, said) = check(&authority, &listener, "");
    assert_eq!(status, Some(1), "{said}");
    weir.signal(weir_tests::Signal::HUP);
    weir.await_said("reload refused");
    assert_eq!(shown(&weir), good);
    // The key comes.
    fs::write(authority.file("a.key"), fs::read(authority.file("b.key")).unwrap()).unwrap();
    eventually("the pair is whole", || shown(&weir) == pem(&other));
    assert_ne!(fs::read(authority.file("a.key")).unwrap(), key);

    // A file that is gone is on its way to being replaced.
    fs::remove_file(&path).unwrap();
    weir.await_said("can't read");
    assert_eq!(shown(&weir), pem(&other));
    assert_eq!(weir.times_said("can't read"), 1, "said once");
}

#[test]
fn a_directory_is_every_pem_in_it_as_they_come_and_go() {
    let authority = Authority::new();
    let folder = authority.file("all");
    fs::create_dir(&folder).unwrap();
    let put = |name: &str, host: &str| {
        let certificate =
            authority.issue(name, Wanted { names: &format!("DNS:{host}"), ..Wanted::default() });
        let both = fs::read_to_string(&certificate).unwrap()
            + &fs::read_to_string(authority.file(&format!("{name}.key"))).unwrap();
        fs::write(folder.join(format!("{name}.new")), both).unwrap();
        fs::rename(folder.join(format!("{name}.new")), folder.join(format!("{name}.pem"))).unwrap();
        certificate
    };
    put("first", "first.test");
    let weir = Weir::start(&config(&format!("{{ certificates: \"{}\" }}", folder.display()), ""));
    let first = shown(&weir);
    let a = put("second", "a.test");
    eventually("the second is found", || shown(&weir) == pem(&a));
    fs::remove_file(folder.join("second.pem")).unwrap();
    eventually("the second is gone", || shown(&weir) == first);
    let names = |weir: &Weir| {
        let metrics = weir.admin().get("/metrics").text();
        metrics
            .lines()
            .filter(|line| line.starts_with("weir_tls_certificate_expiry_timestamp_seconds{"))
            .count()
    };
    assert_eq!(names(&weir), 1);
}

#[test]
fn the_end_of_each_certificate_is_a_metric() {
    let authority = Authority::new();
    let wanted =
        Wanted { times: Some(("250101000000Z", "400101000000Z")), names: "DNS:a.test", ..Wanted::default() };
    let path = authority.issue("a", wanted);
    let weir = Weir::start(&config(&format!("{{ certificates: [\"{path}\", \"{path}\"] }}"), ""));
    let metrics = weir.admin().get("/metrics").text();
    let expected = format!(
        "weir_tls_certificate_expiry_timestamp_seconds{{listener=\"web\",certificate=\"{path}\",name=\"a.test\"}} \
         2208988800\n"
    );
    assert_eq!(metrics.matches(&expected).count(), 1, "{metrics}");
}
