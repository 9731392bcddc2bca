//! The admin API over TLS: as scripts and browsers ask it, with its certificate replaced, wrong, or taken away.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;
use weir_tests::{Authority, Directory, Wanted, Weir, curl, eventually, openssl, weir};

const LOCAL: Wanted<'_> = Wanted { subject: "/CN=admin", names: "IP:127.0.0.1", rsa: false, times: None };

fn config(admin: &str) -> String {
    format!(
        "admin: {{ bind: 127.0.0.1:0{admin} }}\nlisteners: {{ web: {{ bind: 127.0.0.1:0, routes: [{{ respond: {{}} }}] }} }}\n"
    )
}

fn with_tls(certificate: &str) -> String {
    config(&format!(", tls: \"{certificate}\""))
}

fn url(weir: &Weir, path: &str) -> String {
    format!("https://{}{path}", weir.admin().0)
}

/// The certificate that it shows.
fn shown(weir: &Weir) -> String {
    let address = weir.admin().0.to_string();
    let said = openssl(&["s_client", "-connect", &address]);
    let begin = said.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{said}"));
    said[begin..said.find("-----END CERTIFICATE-----").unwrap()].to_owned()
}

fn pem(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    text[..text.find("-----END CERTIFICATE-----").unwrap()].to_owned()
}

#[test]
fn scripts_ask_over_tls_as_they_would_without() {
    let authority = Authority::new();
    let certificate = authority.issue("admin", LOCAL);
    let weir = Weir::start(&with_tls(&certificate));
    let ca = authority.ca();
    let ask = |arguments: &[&str]| curl(&[&["--cacert", ca.as_str()], arguments].concat());

    // Many requests of one connection, whatever the client would rather speak.
    let (ready, stats) = (url(&weir, "/readyz"), url(&weir, "/api/v1/stats"));
    let format = "%{http_version} %{num_connects} %{ssl_verify_result}\\n";
    let said = ask(&[
        "--http2",
        "--write-out",
        format,
        "--output",
        "/dev/null",
        &ready,
        "--output",
        "/dev/null",
        &stats,
    ]);
    assert_eq!(said, "1.1 1 0\n1.1 0 0\n");

    // A body and an answer of many records.
    let running = ask(&[&url(&weir, "/api/v1/config")]);
    assert!(running.contains(&certificate), "{running}");
    let padded = weir.directory.write("padded.yaml", &format!("{running}{}", "# padding\n".repeat(100_000)));
    let at = format!("@{}", padded.display());
    let answer = ask(&["--request", "PUT", "--data-binary", &at, &url(&weir, "/api/v1/config")]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["saved"], &answer["notes"]), (&Value::Bool(false), &serde_json::json!([])));
    assert!(ask(&[&url(&weir, "/openapi.json")]).len() > 10_000);

    let metrics = ask(&[&url(&weir, "/metrics")]);
    let expiry =
        format!("weir_tls_certificate_expiry_timestamp_seconds{{listener=\"\",certificate=\"{certificate}\"");
    assert!(metrics.contains(&expiry), "{metrics}");
}

#[test]
fn who_speaks_no_tls_is_told_so() {
    let authority = Authority::new();
    let certificate = authority.issue("admin", LOCAL);
    let weir = Weir::start(&with_tls(&certificate));
    let plain = format!("http://{}/healthz", weir.admin().0);
    let answer: Value = serde_json::from_str(&curl(&[&plain])).unwrap();
    assert_eq!(answer["status"], 400);
    assert_eq!(answer["detail"], "TLS is spoken here: ask with https://");
    // Neither is nonsense answered, nor silence waited for without end by whoever stops.
    let mut socket = TcpStream::connect(weir.admin().0).unwrap();
    socket.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert!(answer.len() < 16, "an alert: {answer:?}");
    assert_eq!(curl(&["--insecure", &url(&weir, "/healthz")]), "{\"status\":\"alive\"}\n");
}

#[test]
fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
    let authority = Authority::new();
    let certificate = authority.issue("admin", LOCAL);
    let weir = Weir::start(&with_tls(&certificate));
    assert_eq!(shown(&weir), pem(&certificate));
    authority.issue("admin", LOCAL);
    eventually("the new certificate is shown", || shown(&weir) == pem(&certificate));
    let good = pem(&certificate);
    fs::write(&certificate, "nothing\n").unwrap();
    weir.await_said("no certificate in");
    assert_eq!(shown(&weir), good);
}

#[test]
fn tls_comes_and_goes_with_the_configuration() {
    let authority = Authority::new();
    let certificate = authority.issue("admin", LOCAL);
    let weir = Weir::start(&config(""));
    weir.reload(&with_tls(&certificate));
    assert_eq!(shown(&weir), pem(&certificate));
    // What is wrong is told at its place, and nothing changes.
    let bad = weir.directory.write("bad.yaml", &weir.completed(&with_tls("/no/such.pem")));
    let at = format!("@{}", bad.display());
    let put = ["--cacert", &authority.ca(), "--request", "PUT", "--data-binary", &at];
    let config_url = url(&weir, "/api/v1/config");
    let refused: Value = serde_json::from_str(&curl(&[&put[..], &[&config_url]].concat())).unwrap();
    assert_eq!(refused["status"], 422);
    assert_eq!(refused["diagnostics"][0]["path"], "admin.tls");
    assert!(refused["diagnostics"][0]["message"].as_str().unwrap().contains("/no/such.pem"));
    assert_eq!(shown(&weir), pem(&certificate));
    weir.reload(&config(""));
    assert_eq!(weir.admin().get("/healthz").status, 200);
}

#[test]
fn what_is_wrong_with_its_files_is_told_before_anything_is_bound() {
    let authority = Authority::new();
    let good = authority.issue("admin", LOCAL);
    let old = Wanted { times: Some(("200101000000Z", "200201000000Z")), ..LOCAL };
    let expired = authority.issue("expired", old);
    let folder = authority.directory().display().to_string();
    let key = authority.path("expired.key");
    for (tls, status, says) in [
        (format!("\"{good}\""), 0, "valid"),
        (format!("{{ certificate: \"{good}\", key: \"{key}\" }}"), 1, "is not that of the certificate"),
        (format!("\"{folder}\""), 1, "the admin API shows one certificate"),
        // Whoever is locked out can't put another in its place.
        (format!("\"{expired}\""), 0, "warning: the certificate in"),
    ] {
        let text = format!(
            "version: 1\nadmin:\n  tls: {tls}\n{}",
            &config("")[config("").find('\n').unwrap() + 1..]
        );
        let file = authority.file("weir.yaml");
        fs::write(&file, text).unwrap();
        let output = weir().arg("check").arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{tls}: {said}");
        assert!(said.contains(says), "{tls}: {said}");
        assert!(!said.contains("-->") || said.contains("weir.yaml:3:"), "{said}");
    }
}

/// The fixed port of the appliance is somebody's here, so this runs in a network of its own.
#[test]
fn the_appliance_has_its_admin_api_where_nothing_is_said_of_it() {
    let alone = Command::new("unshare").args(["-rn", "true"]).output();
    if !alone.is_ok_and(|output| output.status.success()) {
        return eprintln!("no network of its own to be had here: not tried");
    }
    let authority = Authority::new();
    let names = Wanted { names: "IP:127.0.0.1,IP:::1", ..LOCAL };
    let certificate = authority.issue("admin", names);
    let directory = Directory::new();
    let file = directory.write(
        "weir.yaml",
        "version: 1 # as sent\nlisteners: { web: { bind: 127.0.0.1:8080, routes: [{ respond: {} }] } }\n",
    );
    directory.write("token", "correct-horse-battery-staple\n");
    directory.write("appliance.json", "{\"slot\": \"A\", \"notices\": [\"hello\"]}");
    let script = r##"
        ip link set lo up || exit 90
        "$0" run --config "$1/weir.yaml" --appliance "$1" --admin-certificate "$2" --admin-key "$3" \
            --admin-token "$1/token" > /dev/null 2> "$1/said" &
        pid=$!
        ask="curl --silent --show-error --cacert $4 --oauth2-bearer correct-horse-battery-staple"
        for _ in $(seq 400); do
            $ask --fail https://127.0.0.1:9000/readyz > /dev/null 2>&1 && break
            sleep 0.05
        done
        $ask --fail https://127.0.0.1:9000/readyz > /dev/null || exit 91
        if [ -e /proc/net/if_inet6 ]; then $ask --fail "https://[::1]:9000/readyz" > /dev/null || exit 92; fi
        # Nothing without the token.
        code=$(curl --silent --cacert $4 --output /dev/null --write-out '%{http_code}' https://127.0.0.1:9000/api/v1/config)
        [ "$code" = 401 ] || exit 93
        # What runs says nothing of the appliance's own, and can be put back as it is.
        $ask https://127.0.0.1:9000/api/v1/config > "$1/running"
        grep -q admin "$1/running" && exit 94
        { cat "$1/running"; echo "# put back"; } > "$1/next"
        $ask -X PUT --data-binary "@$1/next" https://127.0.0.1:9000/api/v1/config > "$1/answer"
        cmp -s "$1/next" "$1/weir.yaml" || exit 95
        grep -q '"saved":true' "$1/answer" || exit 96
        $ask https://127.0.0.1:9000/api/v1/system > "$1/system"
        # An `admin` section, even an empty one, is the operator's word.
        { cat "$1/running"; echo "admin: {}"; } > "$1/next"
        $ask -X PUT --data-binary "@$1/next" https://127.0.0.1:9000/api/v1/config > "$1/answer"
        curl --silent --fail http://127.0.0.1:9000/readyz > /dev/null || exit 97
        kill -TERM $pid
        wait $pid
    "##;
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", script])
        .arg(weir().get_program())
        .arg(directory.path())
        .args([&certificate, &authority.path("admin.key"), &authority.ca()])
        .output()
        .unwrap();
    let read = |name: &str| fs::read_to_string(directory.file(name)).unwrap_or_default();
    assert!(output.status.success(), "{output:?}\n{}\n{}", read("said"), read("answer"));
    let system: Value = serde_json::from_str(&read("system")).unwrap();
    assert_eq!(system["appliance"]["slot"], "A");
    assert_eq!(system["appliance"]["notices"][0], "hello");
    assert!(file.exists());
}

#[test]
fn the_appliances_arguments_go_together() {
    let run = |arguments: &[&str]| {
        let output = weir().args(["run", "--config", "weir.yaml"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, said) = run(&["--appliance", "/run/weir"]);
    assert!(status == Some(2) && said.contains("--admin-certificate"), "{said}");
    let (status, said) = run(&["--admin-token", "/token"]);
    assert!(status == Some(2) && said.contains("--appliance"), "{said}");
    let output = weir().args(["run", "--config", "-", "--save-config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("standard input can't be written to"), "{said}");
}
