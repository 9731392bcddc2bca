//! Runs the unpacked packages' programs with their own C library and in an environment without this machine's
//! language, time zone or configuration: what they write depends on their version and input alone.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Where libraries lie within the packages.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The packages' programs.
#[derive(Clone)]
pub(crate) struct Tools {
    root: PathBuf,
    epoch: u64,
}

impl Tools {
    /// `root` is where packages were unpacked to, `epoch` the one time that everything in the image carries.
    pub(crate) fn new(root: &Path, epoch: u64) -> Self {
        Self { root: root.to_owned(), epoch }
    }

    /// `/` of the packages.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The one time that everything in the image carries.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Runs `usr/sbin/mke2fs` or another program of the packages; what it prints is its result.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, program: &str, arguments: &[A]) -> anyhow::Result<Vec<u8>> {
        self.run_with_input(program, arguments, &[])
    }

    /// The same, with something on its standard input.
    pub(crate) fn run_with_input<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: &[A],
        input: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let libraries = self.root.join(LIBRARIES);
        let mut child = Command::new(libraries.join("ld-linux-x86-64.so.2"))
            .arg("--library-path")
            .arg(&libraries)
            .arg(self.root.join(program))
            .args(arguments)
            .env_clear()
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("SOURCE_DATE_EPOCH", self.epoch.to_string())
            .env("MKE2FS_CONFIG", self.root.join("etc/mke2fs.conf"))
            // mtools would read settings of this machine's user, and refuse sizes that no floppy has.
            .env("MTOOLSRC", "/dev/null")
            .env("MTOOLS_SKIP_CHECK", "1")
            .env("GCONV_PATH", libraries.join("gconv"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't start {program} of Debian's packages"))?;
        let mut stdin = child.stdin.take().expect("the standard input was asked for");
        let output = std::thread::scope(|scope| {
            // A program that ends without having read everything says itself what was wrong.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output()
        })
        .with_context(|| format!("lost {program}"))?;
        ensure!(
            output.status.success(),
            "{program} failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(output.stdout)
    }
}
