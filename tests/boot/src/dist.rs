//! What `make image` left: the images that the tests start.

use std::path::{Path, PathBuf};

/// The folder with the images.
#[derive(Debug, Clone)]
pub struct Dist(PathBuf);

impl Dist {
    /// The one that `WEIR_IMAGE_DIR` names.
    ///
    /// # Panics
    /// When it names none: only a test that is asked for by name looks for it.
    pub fn find() -> Self {
        let folder = std::env::var_os("WEIR_IMAGE_DIR");
        Self(
            folder.expect("WEIR_IMAGE_DIR names the folder with the images; `make test-boot` sets it").into(),
        )
    }

    /// The image in this format, such as `qcow2`.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn image(&self, format: &str) -> PathBuf {
        let entries =
            std::fs::read_dir(&self.0).unwrap_or_else(|error| panic!("{}: {error}", self.0.display()));
        let found: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == format))
            .collect();
        let [image] = found.as_slice() else {
            panic!("one .{format} in {} was expected: {found:?}", self.0.display());
        };
        image.canonicalize().unwrap()
    }

    /// The kernel, for machines that start it themselves.
    pub fn kernel(&self) -> PathBuf {
        self.file("vmlinuz")
    }

    /// The whole system, for the same.
    pub fn initramfs(&self) -> PathBuf {
        self.file("initramfs")
    }

    /// A file by its name.
    ///
    /// # Panics
    /// When there is none.
    pub fn file(&self, name: &str) -> PathBuf {
        let path: &Path = &self.0.join(name);
        path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
