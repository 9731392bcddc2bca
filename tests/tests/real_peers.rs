//! Programs that other people wrote: curl as the client, nginx as the server.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use weir_tests::{Client, Directory, Origin, Weir, curl, eventually, ok};

#[test]
fn curl_with_many_options() {
    let origin = Origin::answering(|request| {
        let body = request.body.len();
        ok(&format!("{} {} {body} {:?}", request.method, request.target, request.head.get("x-a")))
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let url = |path: &str| format!("http://{}{path}", weir.web());
    assert_eq!(curl(&[&url("/plain")]), "GET /plain 0 None");
    assert_eq!(curl(&["--http1.0", &url("/old")]), "GET /old 0 None");
    assert_eq!(curl(&["--header", "X-A: b", &url("/h")]), "GET /h 0 Some(\"b\")");
    assert_eq!(curl(&["--data", "a=b", &url("/post")]), "POST /post 3 None");
    assert_eq!(curl(&["--request", "DELETE", &url("/gone")]), "DELETE /gone 0 None");
    assert_eq!(
        curl(&["--header", "Transfer-Encoding: chunked", "--data", "abc", &url("/c")]),
        "POST /c 3 None"
    );
    assert_eq!(curl(&["--proxy", &url(""), "http://other.example/through"]), "GET /through 0 None");
    assert_eq!(curl(&["--path-as-is", &url("/a/../b")]), "GET /b 0 None");
    let head = curl(&["--head", &url("/head")]);
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.to_lowercase().contains("content-length: 17"),
        "{head}"
    );
    let several = curl(&[&url("/1"), &url("/2"), &url("/3")]);
    assert_eq!(several, "GET /1 0 NoneGET /2 0 NoneGET /3 0 None");

    // With a large body curl waits for 100 (Continue), and a server that knows nothing of it must get it still.
    let directory = Directory::new();
    let upload = directory.file("upload");
    std::fs::write(&upload, vec![b'x'; 3 << 20]).unwrap();
    let file = upload.to_str().unwrap();
    assert_eq!(curl(&["--upload-file", file, &url("/put")]), "PUT /put 3145728 None");
    assert_eq!(
        curl(&["--header", "Expect: 100-continue", "--data-binary", &format!("@{file}"), &url("/big")]),
        "POST /big 3145728 None"
    );
    assert!(curl(&["--form", &format!("f=@{file}"), &url("/form")]).starts_with("POST /form 3145"));
}

/// nginx in the foreground, on a port of its own, ended when dropped.
struct Nginx {
    child: Child,
    address: std::net::SocketAddr,
    directory: Directory,
}

impl Nginx {
    fn start() -> Self {
        let directory = Directory::new();
        let root = directory.path().display().to_string();
        std::fs::write(
            directory.file("index.html"),
            "hello from nginx, said often enough to be compressed. ".repeat(40),
        )
        .unwrap();
        std::fs::write(
            directory.file("large"),
            (0..1 << 20).map(|n: u32| n.to_be_bytes()[3] ^ n.to_be_bytes()[2]).collect::<Vec<u8>>(),
        )
        .unwrap();
        let address = Origin::free();
        let config = directory.write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
                events {{ worker_connections 256; }}
                http {{
                    access_log {root}/nginx.log combined;
                    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
                    uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
                    gzip on; gzip_min_length 100; gzip_types *; gzip_proxied any; gzip_http_version 1.0;
                    server {{
                        listen {address};
                        root {root};
                        location /status {{ return 200 \"$connection $connection_requests\"; }}
                        location /echo-length {{ client_max_body_size 4m; return 200 \"$content_length\"; }}
                    }}
                }}"
            ),
        );
        let nginx =
            ["/usr/sbin/nginx", "/usr/bin/nginx"].map(PathBuf::from).into_iter().find(|path| path.exists());
        let child = Command::new(nginx.expect("nginx is installed; `make test` does"))
            .args(["-p", &root, "-e", &format!("{root}/error.log"), "-c"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { child, address, directory };
        eventually("nginx accepts", || Client::try_connect(address).is_ok());
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.directory.file("error.log")).unwrap_or_default());
        }
    }
}

#[test]
fn nginx_serves_files_ranges_and_compressed_pages_through_kept_connections() {
    let nginx = Nginx::start();
    let weir = Weir::start(&format!(
        "workers: 1\n{}",
        weir_tests::one_pool(&format!("{{ servers: [\"{}\"] }}", nginx.address))
    ));
    let large = std::fs::read(nginx.directory.file("large")).unwrap();
    let mut client = Client::connect(weir.web());
    for _ in 0..5 {
        let response = client.get("/large");
        assert_eq!((response.status, response.body == large), (200, true));
    }
    let range = client.exchange("GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-1999\r\n\r\n");
    assert_eq!((range.status, &range.body[..]), (206, &large[1000..2000]));
    assert_eq!(range.field("content-range"), Some("bytes 1000-1999/1048576"));
    // nginx compresses as it sends, so the length is not known: chunks.
    let packed = client.exchange("GET /index.html HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(packed.field("content-encoding"), Some("gzip"));
    assert_eq!(packed.field("transfer-encoding"), Some("chunked"));
    assert_eq!(&packed.body[..2], b"\x1f\x8b");
    let etag = client.get("/large").field("etag").unwrap().to_owned();
    let unchanged =
        client.exchange(&format!("GET /large HTTP/1.1\r\nHost: a\r\nIf-None-Match: {etag}\r\n\r\n"));
    assert_eq!(unchanged.status, 304);
    assert_eq!(
        client.exchange("HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n").field("content-length"),
        Some("1048576")
    );
    assert_eq!(client.get("/missing").status, 404);

    let mut status = || {
        let text = client.get("/status").text();
        let (connection, requests) = text.split_once(' ').unwrap();
        (connection.to_owned(), requests.parse::<u64>().unwrap())
    };
    let (connection, requests) = status();
    let (same, more) = status();
    assert_eq!((same, more), (connection, requests + 1));
    assert!(requests > 10, "{requests}");
}

#[test]
fn curl_and_nginx_with_weir_between_them() {
    let nginx = Nginx::start();
    let weir = Weir::with_servers(&[nginx.address]);
    let url = |path: &str| format!("http://{}{path}", weir.web());
    let plain = curl(&[&url("/index.html")]);
    assert!(plain.starts_with("hello from nginx"), "{plain}");
    assert_eq!(curl(&["--compressed", &url("/index.html")]), plain);
    let body = nginx.directory.file("sent");
    std::fs::write(&body, vec![b'x'; 1 << 20]).unwrap();
    let sent = curl(&["--data-binary", &format!("@{}", body.display()), &url("/echo-length")]);
    assert_eq!(sent, "1048576");
    let got = nginx.directory.file("got");
    curl(&["--output", got.to_str().unwrap(), "--parallel", &url("/large")]);
    assert_eq!(std::fs::read(got).unwrap(), std::fs::read(nginx.directory.file("large")).unwrap());
}
