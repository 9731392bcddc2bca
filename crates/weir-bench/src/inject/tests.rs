//! The injector against the origin, over real sockets.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::options::{Mode, Reuse};
use super::*;
use crate::objects::{self, Server};

fn server() -> Server {
    let mut options = objects::Options::new((Ipv4Addr::LOCALHOST, 0).into());
    options.threads = Some(2);
    Server::start(&options).unwrap()
}

fn load(server: &Server, path: &str, users: u32) -> Options {
    let target = format!("http://{}{path}", server.address()).parse().unwrap();
    let mut options = Options::new(target, Mode::Closed { users }, Duration::from_millis(400));
    options.threads = Some(2);
    options
}

#[test]
fn what_is_counted_is_what_the_origin_counted() {
    for (reuse, path) in [
        (Reuse::KeepAlive, "/?s=0"),
        (Reuse::Close, "/?s=0"),
        (Reuse::Requests(7), "/?s=100k"),
        (Reuse::Close, "/?s=300k"),
        (Reuse::KeepAlive, "/?s=9000&k=1"),
    ] {
        let server = server();
        let mut options = load(&server, path, 20);
        options.reuse = reuse;
        let outcome = run(&options, &mut ()).unwrap();
        let origin = server.stats().sum();
        let total = &outcome.total;
        assert_eq!(total.errors.sum(), 0, "{}", total.errors.describe());
        assert_eq!(
            (total.connections, total.requests, total.responses, total.bytes_received, total.bytes_sent),
            (origin.connections, origin.requests, origin.answers, origin.bytes_sent, origin.bytes_received),
            "{reuse:?} {path}"
        );
        assert!(outcome.measured.responses > 0 && outcome.latency.count == outcome.measured.responses);
    }
}
