//! The one child, `weir run`: started without rights, heard, and ended.
//!
//! Between process 1 and it there is a moment of our own binary that gives up the rights ([`confine`]) and becomes it;
//! nothing of that needs `unsafe`, as it would between fork and exec.

mod confine;
mod notify;
mod output;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use confine::become_child;
pub(crate) use notify::listen;

/// Us, who the child is, too.
const SELF: &str = "/proc/self/exe";
/// How our own binary knows that it is to give up its rights.
pub(crate) const CONFINED: &str = "confined";

/// What the child needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orders {
    /// The running file.
    pub(crate) config: PathBuf,
    /// Where the admin API's certificate, key and token are, for a file that says nothing of them.
    pub(crate) admin: PathBuf,
    /// Where its logs go.
    pub(crate) log: PathBuf,
}

impl Orders {
    /// `weir run …`, without the program.
    fn arguments(&self) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let admin = |name| path(&self.admin.join(name));
        [
            ("--config", path(&self.config)),
            ("--appliance", crate::status::FOLDER.to_owned()),
            ("--admin-certificate", admin("certificate.pem")),
            ("--admin-key", admin("key.pem")),
            ("--admin-token", admin("token")),
        ]
        .into_iter()
        .fold(vec!["run".to_owned()], |mut all, (flag, value)| {
            all.extend([flag.to_owned(), value]);
            all
        })
    }
}

/// A child that runs. Its end is told by [`crate::Event::Child`]; the deciding thread reaps it.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: Pid,
}

impl Child {
    pub(crate) fn start(orders: &Orders) -> std::io::Result<Self> {
        let mut child = Command::new(SELF)
            .args(["init", CONFINED])
            .args(orders.arguments())
            .env_clear()
            .env("NOTIFY_SOCKET", notify::SOCKET)
            .env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(stdout) = child.stdout.take() {
            output::access(stdout, orders.log.join("access.log"));
        }
        if let Some(stderr) = child.stderr.take() {
            output::diagnostics(stderr, orders.log.join("weir.log"));
        }
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self { pid: pid.ok_or_else(|| std::io::Error::other("the child has no process number"))? })
    }

    /// Asks it to drain and end; a second time, to end at once.
    pub(crate) fn terminate(&self) {
        let _ = kill_process(self.pid, Signal::TERM);
    }

    /// Ends it.
    pub(crate) fn kill(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_is_told_where_its_files_are() {
        let orders = Orders {
            config: "/state/config/weir.yaml".into(),
            admin: "/state/admin".into(),
            log: "/state/log".into(),
        };
        assert_eq!(
            orders.arguments().join(" "),
            "run --config /state/config/weir.yaml --appliance /run/weir --admin-certificate \
             /state/admin/certificate.pem --admin-key /state/admin/key.pem --admin-token /state/admin/token"
        );
    }
}
