//! A running product for one test.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use weir_admin::{Operator, Setup};
use weir_config::tls::Tls;

use crate::client::{Reply, ask, get};

/// Runs `test` with an operator of `config`, as the binary would: on a local runtime.
pub(crate) fn with<T: AsyncFnOnce(&Fixture)>(config: &str, test: T) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let loaded = weir_config::load(config, &Tls::default()).unwrap_or_else(|found| panic!("{found}"));
        let operator = Operator::start(loaded, Setup::default()).await.unwrap();
        let fixture = Fixture { admin: operator.admin_address(), operator };
        test(&fixture).await;
        tokio::time::timeout(Duration::from_secs(10), fixture.operator.stop()).await.unwrap();
    });
}

pub(crate) struct Fixture {
    pub(crate) operator: Rc<Operator>,
    pub(crate) admin: SocketAddr,
}

impl Fixture {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        get(self.admin, path).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, fields: &str, body: &str) -> Reply {
        ask(self.admin, method, path, fields, body).await
    }

    /// The address of the listener `web`.
    pub(crate) fn web(&self) -> SocketAddr {
        self.operator.proxy().bound().iter().find(|(name, _)| name == "web").unwrap().1
    }
}

/// Two servers that are not there, no check.
pub(crate) const PLAIN: &str = "\
version: 1
workers: 2
admin:
  bind: 127.0.0.1:0
log:
  access: off
listeners:
  web:
    bind: 127.0.0.1:0
    routes:
      - pool: web
pools:
  web:
    servers:
      - 127.0.0.1:9
      - { name: two, address: \"[::1]:9\", weight: 3, backup: true }
";

/// [`PLAIN`] with one line replaced.
pub(crate) fn plain_with(line: &str, by: &str) -> String {
    assert!(PLAIN.contains(line));
    PLAIN.replace(line, by)
}

/// An origin that answers every connection's first request with 200, on the current runtime.
pub(crate) async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match socket.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

/// Asks until `done`, at most for a while.
pub(crate) async fn until<T, F: AsyncFnMut() -> Option<T>>(what: &str, mut done: F) -> T {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = done().await {
            return value;
        }
        assert!(std::time::Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
