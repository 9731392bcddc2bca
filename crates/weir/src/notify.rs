//! What whoever started us is told, in sd_notify's words: that every listener is bound, and, about once a second, that the data
//! plane lives. The appliance's process 1 listens; elsewhere systemd may (`Type=notify`, `WatchdogSec=`).
//!
//! Without `NOTIFY_SOCKET` nobody listens, and nothing is said.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

/// Whoever started us.
pub(crate) struct Starter(Option<(UnixDatagram, PathBuf)>);

impl Starter {
    /// As the environment names it. systemd's abstract sockets (`@…`) are not for a path.
    pub(crate) fn here() -> Self {
        let path = std::env::var_os("NOTIFY_SOCKET").map(PathBuf::from).filter(|path| path.is_absolute());
        Self(path.and_then(|path| {
            let socket = UnixDatagram::unbound().ok()?;
            // Whoever listens may be slow; we are not to wait for that.
            socket.set_nonblocking(true).ok()?;
            Some((socket, path))
        }))
    }

    /// Every listener is bound.
    pub(crate) fn ready(&self) {
        self.say("READY=1\n");
    }

    /// The data plane lives.
    pub(crate) fn alive(&self) {
        self.say("WATCHDOG=1\n");
    }

    /// Draining has begun.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\n");
    }

    fn say(&self, word: &str) {
        if let Self(Some((socket, path))) = self {
            let _ = socket.send_to(word.as_bytes(), path);
        }
    }
}
