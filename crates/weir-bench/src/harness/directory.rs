//! The directory of a run: configurations, logs and what the programs complain of.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where memory is a file system: an access log there costs its writer no wait for a disk.
const MEMORY: &str = "/dev/shm";

/// A new directory that goes away with this value, unless it is to be kept.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    keep: bool,
}

impl Directory {
    /// Makes one, in memory where the system has a place for that.
    ///
    /// # Errors
    /// When neither there nor in the usual place for temporary files one can be made.
    pub fn new(keep: bool) -> io::Result<Self> {
        Self::new_in(Path::new(MEMORY), keep).or_else(|_| Self::new_in(&std::env::temp_dir(), keep))
    }

    fn new_in(parent: &Path, keep: bool) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("weir-bench-{}-{count}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, keep })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new directory in it.
    ///
    /// # Errors
    /// As the system has them.
    pub fn sub(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
