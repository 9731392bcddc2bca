//! The admin API as a script uses it.

use std::net::SocketAddr;

use serde_json::Value;

use crate::{Client, Response, eventually};

/// The admin API of one process.
#[derive(Debug, Clone, Copy)]
pub struct Admin(pub SocketAddr);

impl Admin {
    /// A request with a body, on a connection of its own.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, content_type: &str, body: &str) -> Response {
        let mut client = Client::connect(self.0);
        client.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.0,
            body.len()
        ))
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        // The address itself as the host: any other name is refused as a foreign page's.
        let mut client = Client::connect(self.0);
        client.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.0))
    }

    /// GET of what is there and is JSON.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Replaces the running configuration.
    #[track_caller]
    pub fn put_config(&self, config: &str) -> Response {
        self.request("PUT", "/api/v1/config", "application/yaml", config)
    }

    /// Changes what the operator wants of a server; it must succeed.
    #[track_caller]
    pub fn patch_server(&self, pool: &str, server: &str, change: &str) {
        let path = format!("/api/v1/pools/{pool}/servers/{server}");
        let response = self.request("PATCH", &path, "application/json", change);
        assert!(matches!(response.status, 200 | 204), "{change}: {} {}", response.status, response.text());
    }

    /// One server.
    #[track_caller]
    pub fn server(&self, pool: &str, server: &str) -> Value {
        self.json(&format!("/api/v1/pools/{pool}/servers/{server}"))
    }

    /// Waits until a server's health is this.
    #[track_caller]
    pub fn await_health(&self, pool: &str, server: &str, health: &str) {
        eventually(&format!("{pool}/{server} is {health}"), || {
            self.server(pool, server)["health"].as_str() == Some(health)
        });
    }

    /// Waits until no exchange is in flight at a server.
    #[track_caller]
    pub fn await_idle(&self, pool: &str, server: &str) {
        eventually(&format!("{pool}/{server} has nothing in flight"), || {
            self.server(pool, server)["in_flight"].as_u64() == Some(0)
        });
    }
}
