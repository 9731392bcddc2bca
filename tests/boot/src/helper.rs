//! A back door for tests: the appliance has no shell, so a test that must do something inside adds one to the
//! initramfs, in an archive behind the image's own. The system is otherwise the image's, byte for byte.
//!
//! It runs as a child of process 1 that was there before it: a web server on a port that only tests forward.

use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_tests::try_curl;

use crate::{Archive, Machine, Packages, Plan, until};

/// How long a command inside may take.
const COMMAND: Duration = Duration::from_secs(60);

/// The image's initramfs with the back door in it.
///
/// # Panics
/// When it can't be written.
pub fn with_helper(initramfs: &Path, at: &Path) -> PathBuf {
    let packages = Packages::find();
    let added = Archive::new()
        .program_from("helper/busybox", &packages.file("bin/busybox"))
        .program("helper/www/cgi-bin/run", include_str!("helper/run"))
        .program("init", include_str!("helper/init"))
        .finish();
    let mut whole = std::fs::read(initramfs).unwrap();
    whole.resize(whole.len().next_multiple_of(4), 0);
    whole.extend(added);
    std::fs::write(at, whole).unwrap();
    at.to_owned()
}

impl Machine {
    /// Runs a shell's command inside, as root; what it printed.
    ///
    /// # Panics
    /// When there is no back door, or nobody answers.
    #[track_caller]
    pub fn inside(&self, command: &str) -> String {
        until(&format!("{command:?} inside"), || self.try_inside(command))
    }

    /// The same, once.
    pub fn try_inside(&self, command: &str) -> Option<String> {
        let url = format!("http://{}/cgi-bin/run", self.address(Plan::HELPER));
        let seconds = COMMAND.as_secs().to_string();
        let output = try_curl(&["--fail", "--max-time", &seconds, "--data-binary", command, &url]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
