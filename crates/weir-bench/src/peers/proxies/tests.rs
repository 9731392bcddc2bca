//! What every configuration must have in common.

use std::path::Path;
use std::sync::LazyLock;

use super::*;

static CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::in_directory(Path::new("/certificates")));

fn setting(front: Front, access_log: Option<&Path>) -> Setting<'_> {
    Setting {
        program: Path::new("/no/such/program"),
        front,
        certificate: &CERTIFICATE,
        directory: Path::new("/dir"),
        listen: "127.0.0.1:1111".parse().unwrap(),
        origin: "127.0.0.1:2222".parse().unwrap(),
        access_log,
        connections_max: 5000,
        origin_connections_max: None,
        queue: 4096,
        workers: 1,
    }
}

/// Every program, with everything that it can listen for.
fn everything() -> impl Iterator<Item = (Peer, Front)> {
    ALL.into_iter().flat_map(|peer| peer.fronts.iter().map(move |&front| (peer, front)))
}

#[test]
fn each_listens_on_loopback_and_knows_the_origin() {
    for (peer, front) in everything() {
        let launch = (peer.prepare)(&setting(front, None));
        assert!(launch.arguments.contains(&format!("/dir/{}", launch.file)), "{}", peer.name);
        for word in ["127.0.0.1", "1111", "2222"] {
            assert!(launch.text.contains(word), "{}: {word} in {}", peer.name, launch.text);
        }
        assert!(!launch.text.contains("0.0.0.0"), "{}", peer.name);
    }
}

#[test]
fn each_writes_an_access_log_only_when_asked() {
    for (peer, front) in everything() {
        let silent = (peer.prepare)(&setting(front, None));
        let logging = (peer.prepare)(&setting(front, Some(Path::new("/dir/access.log"))));
        assert!(!silent.logs_to_stdout && !silent.text.contains("access.log"), "{}", peer.name);
        assert!(logging.logs_to_stdout || logging.text.contains("/dir/access.log"), "{}", peer.name);
    }
}

#[test]
fn those_that_queue_bound_connections_to_the_origin() {
    for peer in ALL.into_iter().filter(|peer| peer.queues) {
        let free = (peer.prepare)(&setting(Front::Http, None));
        let bound =
            (peer.prepare)(&Setting { origin_connections_max: Some(77), ..setting(Front::Http, None) });
        assert!(!free.text.contains("77") && bound.text.contains("77"), "{}", peer.name);
    }
}

#[test]
fn each_shows_the_certificate_in_tls_and_nowhere_else() {
    for (peer, front) in everything() {
        let text = (peer.prepare)(&setting(front, None)).text;
        assert_eq!(text.contains("/certificates/"), front == Front::Tls, "{}: {text}", peer.name);
    }
}

#[test]
fn names_and_variables_differ_and_are_found() {
    for peer in ALL {
        assert_eq!(Peer::named(peer.name).map(|peer| peer.variable), Some(peer.variable));
        assert_eq!(peer.variable.to_lowercase(), peer.name);
    }
    assert!(Peer::named("apache").is_none());
}

#[test]
fn what_is_not_installed_is_an_error_in_words() {
    let missing = find("no-such-program", None).unwrap_err();
    assert!(missing.contains("no-such-program is not installed"), "{missing}");
    let missing = find("x", Some("/no/such/path".into())).unwrap_err();
    assert!(missing.contains("/no/such/path"), "{missing}");
    assert!(find("sh", None).unwrap().is_file());
}
