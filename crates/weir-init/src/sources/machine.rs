//! The machine as the kernel shows it in `/sys`, `/proc` and `/dev`: bounded reads of small files, and who the machine is.
//! Tests show a folder of their own instead.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most bytes of an attribute.
const ATTRIBUTE_BYTES_MAX: usize = 4096;

/// Serial numbers that a board's maker did not fill in; many machines share them.
const UNFILLED_IDS: &[&str] = &[
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
];

/// Where the kernel's views are.
#[derive(Debug, Clone)]
pub(crate) struct Machine(PathBuf);

impl Machine {
    pub(crate) fn here() -> Self {
        Self(PathBuf::from("/"))
    }

    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// Such as `sys/class/dmi/id`.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// A whole file, at most `bytes_max` and one more of it; None where there is no such file.
    pub(crate) fn read(&self, path: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        read_bounded(&self.path(path), bytes_max)
    }

    /// A file of one line, such as the kernel's attributes are; None where there is none, or it is empty.
    pub(crate) fn line(&self, path: &str) -> Option<String> {
        let bytes = self.read(path, ATTRIBUTE_BYTES_MAX).ok()??;
        let line = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ']).to_owned();
        if line.is_empty() { None } else { Some(line) }
    }

    /// The names in a folder, sorted; none where there is no such folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// What tells this machine from others, in small letters.
    pub(crate) fn id(&self) -> Option<String> {
        let places = ["sys/class/dmi/id/product_uuid", "sys/hypervisor/uuid"];
        let ids = places.iter().filter_map(|place| self.line(place));
        ids.map(|id| id.to_ascii_lowercase()).find(|id| !UNFILLED_IDS.contains(&id.as_str()))
    }
}

/// A whole file, at most `bytes_max` and one more of it; None where there is no such file.
pub(crate) fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // One buffer that is large enough: a read of fw_cfg starts over at its beginning every time.
    let expected = file.metadata().map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(0));
    let mut bytes = Vec::with_capacity(expected.min(bytes_max) + 1);
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder of one test, gone with it.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new(test: &str) -> Self {
            let name = format!("weir-init-{test}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        pub(crate) fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
            self
        }

        pub(crate) fn machine(&self) -> Machine {
            Machine::at(&self.0)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn ids_that_were_not_filled_in_are_none() {
        let folder =
            Folder::new("id").with("sys/class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n");
        assert_eq!(folder.machine().id(), None);
        let folder = folder.with("sys/hypervisor/uuid", "8F1D3C9E-0B2A-4A41-9A2D-0D9E4E6C1B11\n");
        assert_eq!(folder.machine().id().as_deref(), Some("8f1d3c9e-0b2a-4a41-9a2d-0d9e4e6c1b11"));
    }
}
