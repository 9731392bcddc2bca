//! QEMU's control socket (QMP): one JSON object a line, one answer a command, events in between.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::until;

/// How long QEMU may take to answer: it does so between two pieces of emulated work.
const ANSWER: Duration = Duration::from_secs(60);

/// A connection to it.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Waits for the socket, and says hello.
    #[track_caller]
    pub(crate) fn connect(socket: &Path) -> Self {
        let stream = until("QEMU's control socket", || UnixStream::connect(socket).ok());
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        let mut qmp = Self { stream: BufReader::new(stream) };
        let _greeting = qmp.read();
        qmp.execute("qmp_capabilities", &json!({}));
        qmp
    }

    /// Runs one command; what it returns.
    #[track_caller]
    pub(crate) fn execute(&mut self, command: &str, arguments: &Value) -> Value {
        let line = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{line}").unwrap();
        loop {
            let mut answer = self.read();
            assert!(answer.get("error").is_none(), "QEMU on {line}: {answer}");
            if let Some(returned) = answer.get_mut("return") {
                return returned.take();
            }
        }
    }

    /// The port of the host that leads to each port of the guest.
    #[track_caller]
    pub(crate) fn forwarded(&mut self) -> Vec<(u16, u16)> {
        let listed = self.execute("human-monitor-command", &json!({ "command-line": "info usernet" }));
        forwarded(listed.as_str().unwrap_or_default())
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("QEMU answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("QEMU said {line:?}: {error}"))
    }
}

/// From `TCP[HOST_FORWARD]  9  127.0.0.1 34125  10.0.2.15  80  0  0`: (80, 34125).
fn forwarded(listed: &str) -> Vec<(u16, u16)> {
    let rows = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.first() == Some(&"TCP[HOST_FORWARD]"));
    rows.filter_map(|row| Some((row.get(5)?.parse().ok()?, row.get(3)?.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn forwarded_ports_are_read_from_qemus_table() {
        let listed = "Hub -1 (n0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
                      TCP[HOST_FORWARD]   9       127.0.0.1 34125       10.0.2.15    80     0     0\r\n  \
                      TCP[ESTABLISHED]   12       127.0.0.1 34125       10.0.2.15    80     0     0\r\n";
        assert_eq!(super::forwarded(listed), [(80, 34125)]);
    }
}
