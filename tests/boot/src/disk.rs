//! Disks with the image on them: overlays, which keep the image as it was built, and raw copies, which a test may
//! damage byte by byte.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How far apart the places are at which a file may start in a slot or on the ESP: both have clusters of whole sectors.
const SECTOR: usize = 512;

/// Where GRUB keeps what it counts.
const ENVIRONMENT_BYTES: usize = 1024;

/// A disk that begins as `image` is, and leaves it alone.
///
/// # Panics
/// When qemu-img does not make it.
pub fn overlay(image: &Path, format: &str, at: &Path) -> PathBuf {
    run(Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
        .arg(image)
        .arg(at));
    at.to_owned()
}

/// A raw copy of the image.
#[derive(Debug)]
pub struct RawDisk {
    path: PathBuf,
    file: File,
}

/// A partition, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Partition {
    name: String,
    start: u64,
    size: u64,
}

impl RawDisk {
    /// Copies `image`, whatever its format.
    ///
    /// # Panics
    /// When qemu-img does not.
    pub fn copy(image: &Path, at: &Path) -> Self {
        run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(image).arg(at));
        Self::open(at)
    }

    /// One that is there.
    ///
    /// # Panics
    /// When it is not.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        Self { path: path.to_owned(), file }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a partition is, in bytes: its start and its size.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn partition(&self, name: &str) -> (u64, u64) {
        let mut table = vec![0; 34 * SECTOR];
        self.file.read_exact_at(&mut table, 0).unwrap();
        let partitions = partitions(&table);
        let found = partitions.iter().find(|partition| partition.name == name);
        let found = found.unwrap_or_else(|| panic!("no partition {name} in {partitions:?}"));
        (found.start, found.size)
    }

    /// The content of a partition.
    pub fn read(&self, name: &str) -> Vec<u8> {
        let (start, size) = self.partition(name);
        let mut content = vec![0; usize::try_from(size).unwrap()];
        self.file.read_exact_at(&mut content, start).unwrap();
        content
    }

    /// Writes into a partition.
    pub fn write(&self, name: &str, offset: u64, bytes: &[u8]) {
        let (start, size) = self.partition(name);
        assert!(offset + bytes.len() as u64 <= size, "{name} ends before {offset} + {}", bytes.len());
        self.file.write_all_at(bytes, start + offset).unwrap();
    }

    /// Where in a partition a file begins that begins with these bytes.
    ///
    /// # Panics
    /// When it is nowhere.
    pub fn find(&self, name: &str, head: &[u8]) -> u64 {
        let content = self.read(name);
        let at =
            content.chunks(SECTOR).position(|sector| sector.starts_with(&head[..head.len().min(SECTOR)]));
        (at.unwrap_or_else(|| panic!("nothing in {name} begins so")) * SECTOR) as u64
    }

    /// Takes a partition out of the table.
    pub fn delete(&self, number: u8) {
        run(Command::new("sfdisk")
            .args(["--quiet", "--no-reread", "--delete"])
            .arg(&self.path)
            .arg(number.to_string()));
    }

    /// Lets debugfs work on the ext4 of a partition.
    pub fn debugfs(&self, name: &str, request: &str) -> String {
        let (start, _) = self.partition(name);
        let device = format!("{}?offset={start}", self.path.display());
        run(Command::new("/usr/sbin/debugfs").args(["-w", "-R", request, &device]))
    }

    /// What GRUB keeps.
    pub fn grub_env(&self) -> GrubEnv {
        let at = usize::try_from(self.grub_env_at()).unwrap();
        GrubEnv::parse(&self.read("ESP")[at..at + ENVIRONMENT_BYTES])
    }

    /// Writes what GRUB keeps, as an update does: in place, the same size.
    pub fn set_grub_env(&self, env: &GrubEnv) {
        self.write("ESP", self.grub_env_at(), &env.bytes());
    }

    fn grub_env_at(&self) -> u64 {
        self.find("ESP", GrubEnv::HEAD.as_bytes())
    }
}

/// What GRUB keeps between starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrubEnv {
    /// The slot that is known to work.
    pub good: char,
    /// The slot to start.
    pub next: char,
    /// How often it is still tried.
    pub tries: u8,
}

impl GrubEnv {
    const HEAD: &str = "# GRUB Environment Block\n";

    fn parse(block: &[u8]) -> Self {
        let text = String::from_utf8_lossy(block).into_owned();
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.strip_prefix(name));
            lines
                .filter_map(|rest| rest.strip_prefix('='))
                .next_back()
                .unwrap_or_else(|| panic!("no {name} in {text}"))
        };
        let slot = |name| value(name).chars().next().unwrap_or('?');
        Self { good: slot("good"), next: slot("next"), tries: value("tries").parse().unwrap_or(0) }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text =
            format!("{}good={}\nnext={}\ntries={}\n", Self::HEAD, self.good, self.next, self.tries);
        text.extend(std::iter::repeat_n('#', ENVIRONMENT_BYTES - text.len()));
        text.into_bytes()
    }
}

/// Runs a tool; what it said.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; `make test-boot` installs it"));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// The partitions in a GPT's first 34 sectors: 128 entries of 128 bytes from the third sector on.
fn partitions(table: &[u8]) -> Vec<Partition> {
    assert_eq!(table.get(SECTOR..SECTOR + 8), Some(&b"EFI PART"[..]), "there is no GPT");
    let number = |entry: &[u8], at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap());
    let entries = table[2 * SECTOR..].chunks_exact(128).filter(|entry| entry[..16] != [0; 16]);
    let partitions = entries.map(|entry| {
        let units: Vec<_> =
            entry[56..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let (first, last) = (number(entry, 32), number(entry, 40));
        Partition {
            name: String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned(),
            start: first * SECTOR as u64,
            size: (last - first + 1) * SECTOR as u64,
        }
    });
    partitions.collect()
}

#[cfg(test)]
mod tests {
    use super::{ENVIRONMENT_BYTES, GrubEnv, Partition, SECTOR, partitions};

    #[test]
    fn a_partition_is_found_by_its_name() {
        let mut table = vec![0; 34 * SECTOR];
        table[SECTOR..SECTOR + 8].copy_from_slice(b"EFI PART");
        let entry = &mut table[2 * SECTOR + 128..][..128];
        entry[0] = 1;
        entry[32] = 4;
        entry[40] = 5;
        for (at, byte) in b"ESP".iter().enumerate() {
            entry[56 + 2 * at] = *byte;
        }
        assert_eq!(partitions(&table), [Partition { name: "ESP".to_owned(), start: 2048, size: 1024 }]);
    }

    #[test]
    fn grubs_environment_keeps_its_size() {
        let env = GrubEnv { good: 'A', next: 'B', tries: 3 };
        let bytes = env.bytes();
        assert_eq!(bytes.len(), ENVIRONMENT_BYTES);
        assert_eq!(GrubEnv::parse(&bytes), env);
    }
}
