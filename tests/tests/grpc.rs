//! gRPC: a client and a server that others wrote, our own errors as gRPC says them, and its health check.

use std::net::SocketAddr;
use std::process::Command;

use weir_tests::{Authority, Client, Directory, Origin, Program, Response, Wanted, Weir, one_pool, python};

/// A gRPC server, which says of itself what the file `health` says.
fn server(directory: &Directory) -> (Program, SocketAddr) {
    directory.write("health", "SERVING");
    let address = Origin::free();
    let mut program = python("grpc_server.py");
    program.arg(address.to_string()).arg(directory.file("health"));
    (Program::serving(address, &mut program), address)
}

fn pool(server: SocketAddr, more: &str) -> String {
    one_pool(&format!("{{ protocol: http2, servers: [\"{server}\"]{more} }}"))
}

/// Runs the gRPC client.
fn client(address: SocketAddr, what: &str) {
    let mut client: Command = python("grpc_client.py");
    let output = client.arg(address.to_string()).arg(what).output().expect("`make test` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A unary call as bytes: gRPC does not do this over HTTP/1, but what it looks like there is as good.
fn call(client: &mut Client, method: &str, message: &str) -> Response {
    let head = "Content-Type: application/grpc\r\nTE: trailers\r\n";
    let length = 5 + message.len();
    let mut request =
        format!("POST /{method} HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {length}\r\n\r\n\0")
            .into_bytes();
    request.extend((message.len() as u32).to_be_bytes());
    request.extend(message.bytes());
    client.send(request);
    client.response()
}

#[test]
fn calls_reach_a_grpc_server_with_their_trailers() {
    let directory = Directory::new();
    let (_server, address) = server(&directory);
    let weir = Weir::start(&pool(address, ""));
    let mut client = Client::connect(weir.web());
    let answer = call(&mut client, "test.Echo/Unary", "hi");
    assert_eq!((answer.status, &answer.body[..]), (200, &b"\0\0\0\0\x08unary:hi"[..]));
    let trailer = |answer: &Response, name: &str| {
        answer.trailers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    };
    assert_eq!(trailer(&answer, "grpc-status").as_deref(), Some("0"));
    assert_eq!(trailer(&answer, "x-trailing").as_deref(), Some("1"));
    let answer = call(&mut client, "test.Echo/ServerStreaming", "3");
    assert_eq!(answer.body, b"\0\0\0\0\x010\0\0\0\0\x011\0\0\0\0\x012");
    // A trailers-only answer has it in its head.
    let answer = call(&mut client, "test.Echo/Missing", "");
    assert_eq!((answer.status, answer.field("grpc-status")), (200, Some("12")));
}

/// The gRPC client speaks HTTP/2 to HAProxy, which passes all of it on to Weir in HTTP/1.1, streams and trailers.
#[test]
fn every_kind_of_call_comes_through() {
    let directory = Directory::new();
    let (_server, address) = server(&directory);
    let weir = Weir::start(&pool(address, ""));
    let front = Origin::free();
    let config = format!(
        "defaults\n mode http\n timeout client 60s\n timeout server 60s\n timeout connect 5s\n option http-no-delay\n\
         frontend f\n bind {front} proto h2\n default_backend b\nbackend b\n server s {}\n",
        weir.web()
    );
    let mut haproxy = Command::new("/usr/sbin/haproxy");
    haproxy.arg("-f").arg(directory.write("haproxy.cfg", &config));
    let _haproxy = Program::serving(front, &mut haproxy);
    client(front, "good");
}

#[test]
fn a_grpc_client_and_a_grpc_server() {
    let directory = Directory::new();
    let (_server, address) = server(&directory);
    client(Weir::start(&pool(address, "")).web(), "good");
}

#[test]
fn a_grpc_client_is_told_of_our_failures() {
    client(Weir::start(&pool(Origin::nobody(), "")).web(), "down");
    let weir = Weir::start(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    routes: [{ match: { path_prefix: /x/ }, pool: web }]\n\
         pools:\n  web: { protocol: http2, servers: [127.0.0.1:1] }\n",
    );
    client(weir.web(), "unrouted");
}

#[test]
fn our_own_failures_are_told_as_grpc_does() {
    let weir = Weir::start(&pool(Origin::nobody(), ", retries: { attempts: 0 }"));
    let mut client = Client::connect(weir.web());
    let answer = call(&mut client, "test.Echo/Unary", "hi");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.field("grpc-status"), Some("14"));
    assert_eq!(answer.field("grpc-message"), Some("502 Bad Gateway"));
    assert_eq!(answer.field("content-type"), Some("application/grpc"));
    let line = weir.access_line("/test.Echo/Unary");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(200), Some("SC")), "{line}");

    let silent = Origin::silent();
    let weir = Weir::start(&one_pool(&format!(
        "{{ servers: [\"{}\"], timeouts: {{ response: 200ms }} }}",
        silent.address()
    )));
    let mut client = Client::connect(weir.web());
    assert_eq!(call(&mut client, "a.B/C", "").field("grpc-status"), Some("4"), "whatever the server speaks");

    let weir = Weir::start(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    routes: [{ match: { path_prefix: /x/ }, pool: web }]\n\
         pools:\n  web: { servers: [127.0.0.1:1] }\n",
    );
    let mut client = Client::connect(weir.web());
    assert_eq!(call(&mut client, "a.B/C", "").field("grpc-status"), Some("12"));
    assert_eq!(client.get("/y").status, 404, "others are told as before");
}

#[test]
fn a_grpc_server_in_tls_is_called_and_checked() {
    let authority = Authority::new();
    let wanted = Wanted { subject: "/CN=server", names: "IP:127.0.0.1", rsa: false, times: None };
    let certificate = authority.issue("server", wanted);
    let directory = Directory::new();
    directory.write("health", "SERVING");
    let address = Origin::free();
    let mut program = python("grpc_server.py");
    program.arg(address.to_string()).arg(directory.file("health"));
    program.arg(&certificate).arg(certificate.replace(".pem", ".key"));
    let _server = Program::serving(address, &mut program);
    let more = format!(
        ", tls: {{ ca: \"{}\" }}, check: {{ grpc: true, interval: 100ms, rise: 1, fall: 1 }}",
        authority.ca()
    );
    let weir = Weir::start(&pool(address, &more));
    let name = address.to_string();
    weir.admin().await_health("web", &name, "up");
    let answer = call(&mut Client::connect(weir.web()), "test.Echo/Unary", "hi");
    assert_eq!(&answer.body[..], b"\0\0\0\0\x08unary:hi");
    directory.write("health", "NOT_SERVING");
    weir.admin().await_health("web", &name, "down");
}

#[test]
fn a_grpc_server_says_how_it_is() {
    let directory = Directory::new();
    let (server, address) = server(&directory);
    let check = |service: &str| {
        format!(
            ", check: {{ grpc: {{ service: \"{service}\" }}, interval: 100ms, timeout: 1s, rise: 1, fall: 1 }}"
        )
    };
    let weir = Weir::start(&pool(address, &check("test.Echo")));
    let name = address.to_string();
    let health = |expected: &str| weir.admin().await_health("web", &name, expected);
    health("up");
    directory.write("health", "NOT_SERVING");
    health("down");
    let last = weir.admin().server("web", &name)["last_check"].to_string();
    assert!(last.contains("NOT_SERVING"), "{last}");
    directory.write("health", "SERVING");
    health("up");
    weir.reload(&pool(address, &check("test.Other")));
    health("down");
    let last = weir.admin().server("web", &name)["last_check"].to_string();
    assert!(last.contains("does not know the service"), "{last}");
    weir.reload(&pool(address, &check("")));
    health("up");
    drop(server);
    health("down");
}
