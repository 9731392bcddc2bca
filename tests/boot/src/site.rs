//! What is around a machine: two servers on this host, and a client that asks for them through it.

use std::net::SocketAddr;
use std::time::Duration;

use weir_tests::{Origin, try_curl};

use crate::until;

/// The host, as a guest of QEMU's user network sees it.
const HOST: &str = "10.0.2.2";

/// How long one request may take before it is asked again: until the machine's network is up, nobody answers.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// Requests that must reach both servers between them.
const REQUESTS: usize = 8;

/// Two servers on this host.
pub struct Site {
    one: Origin,
    two: Origin,
}

impl Site {
    /// Starts them.
    pub fn new() -> Self {
        Self { one: Origin::named("one"), two: Origin::named("two") }
    }

    /// A configuration that balances over both on port 80.
    pub fn config(&self) -> String {
        self.config_at("0.0.0.0:80")
    }

    /// The same on another address.
    pub fn config_at(&self, bind: &str) -> String {
        let (one, two) = (self.one.address().port(), self.two.address().port());
        format!(
            "version: 1\nlisteners:\n  web:\n    bind: {bind}\n    routes: [{{ pool: web }}]\n\
             pools:\n  web:\n    servers: ['{HOST}:{one}', '{HOST}:{two}']\n"
        )
    }

    /// Waits until requests to `address` are answered, and then sees both servers answer.
    ///
    /// # Panics
    /// When nobody answers in time, or always the same one.
    #[track_caller]
    pub fn served_at(&self, address: SocketAddr) {
        let first = until(&format!("a request through {address} is answered"), || ask(address, ATTEMPT));
        let mut seen = vec![first];
        for _ in 1..REQUESTS {
            seen.push(until(&format!("another request through {address} is answered"), || {
                ask(address, 10 * ATTEMPT)
            }));
        }
        for name in ["one", "two"] {
            assert!(seen.iter().any(|answer| answer == name), "{name} was never asked: {seen:?}");
        }
        let foreign: Vec<_> =
            seen.iter().filter(|answer| !["one", "two"].contains(&answer.as_str())).collect();
        assert!(foreign.is_empty(), "others answered: {foreign:?}");
    }

    /// How many requests the two have had.
    pub fn requests(&self) -> usize {
        self.one.requests().len() + self.two.requests().len()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// One request: the body, if it was answered with success in time.
pub(crate) fn ask(address: SocketAddr, within: Duration) -> Option<String> {
    let (seconds, url) = (format!("{:.1}", within.as_secs_f64()), format!("http://{address}/"));
    let output = try_curl(&["--fail", "--max-time", &seconds, &url]);
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
