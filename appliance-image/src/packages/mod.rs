//! Gets the packages of [`table`], checks them against the signed lists' digests, and unpacks them into one folder.
//!
//! Invariant: the folder's name is a digest of what is in it, and it appears whole or not at all. What is there already
//! is not fetched again. Nothing outside of the cache folder changes; nothing needs root. How the archive is found is
//! `tools/debian-suite`'s job.

pub(crate) mod table;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::digest;
use crate::packages::table::{KERNEL_OF_THE_DAY, KERNEL_PREFIX, Role, SUITE, TABLE};
use crate::say;

/// A package as it was taken from the archive.
#[derive(Clone)]
pub(crate) struct Taken {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) architecture: String,
    pub(crate) sha256: String,
    pub(crate) role: Role,
    file: String,
}

/// All packages, unpacked over each other.
pub(crate) struct Packages {
    /// `/` of what was unpacked.
    pub(crate) root: PathBuf,
    /// Sorted by name.
    pub(crate) taken: Vec<Taken>,
}

impl Packages {
    /// The kernel's own package.
    pub(crate) fn kernel(&self) -> anyhow::Result<&Taken> {
        self.taken
            .iter()
            .find(|package| package.name.starts_with(KERNEL_PREFIX))
            .with_context(|| format!("no package {KERNEL_PREFIX}* was taken"))
    }
}

/// The packages as they are in the archive now; `cache` keeps them.
pub(crate) fn get(workspace: &Path, cache: &Path) -> anyhow::Result<Packages> {
    fs::create_dir_all(cache).with_context(|| format!("can't make {}", cache.display()))?;
    // Two builds at once share the cache: the second waits for the first.
    let lock = File::create(cache.join("lock")).context("can't make the cache's lock")?;
    lock.lock().context("can't lock the cache of packages")?;

    let archive = Archive { script: workspace.join("tools/debian-suite") };
    let taken = archive.candidates(&archive.kernel_name()?)?;
    let files = cache.join("files");
    fs::create_dir_all(&files).context("can't make the folder of packages")?;
    archive.download(&taken, &files)?;
    let root = unpack(&taken, &files, cache)?;
    Ok(Packages { root, taken })
}

/// The suite, as `tools/debian-suite` reaches it.
struct Archive {
    script: PathBuf,
}

impl Archive {
    fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.script)
            .args(["run", SUITE])
            .args(arguments)
            .output()
            .with_context(|| format!("can't start {}", self.script.display()))?;
        ensure!(
            output.status.success(),
            "{} of Debian {SUITE} failed:\n{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        String::from_utf8(output.stdout).context("apt's answer is not UTF-8")
    }

    fn kernel_name(&self) -> anyhow::Result<String> {
        let answer = self.run(&["apt-cache", "depends", KERNEL_OF_THE_DAY])?;
        kernel_of(&answer)
    }

    fn candidates(&self, kernel: &str) -> anyhow::Result<Vec<Taken>> {
        let mut names = vec![kernel];
        names.extend(TABLE.iter().map(|package| package.name));
        names.sort_unstable();
        let mut arguments = vec!["apt-get", "download", "--print-uris"];
        arguments.extend(&names);
        let answer = self.run(&arguments)?;
        let mut taken = answer.lines().map(parse_uri_line).collect::<anyhow::Result<Vec<_>>>()?;
        taken.sort_by(|a, b| a.name.cmp(&b.name));
        for name in names {
            ensure!(taken.iter().any(|package| package.name == name), "Debian {SUITE} has no package {name}");
        }
        Ok(taken)
    }

    /// Fetches what is missing, and believes no file that it has not checked.
    fn download(&self, taken: &[Taken], files: &Path) -> anyhow::Result<()> {
        let missing: Vec<_> = taken.iter().filter(|package| !files.join(&package.file).exists()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        say::line(format_args!("fetching {} packages of Debian {SUITE}", missing.len()));
        let fresh = tempfile::tempdir_in(files).context("can't make a folder for new packages")?;
        let output = Command::new(&self.script)
            .args(["download", SUITE])
            .arg(fresh.path())
            .args(missing.iter().map(|package| format!("{}={}", package.name, package.version)))
            .output()
            .with_context(|| format!("can't start {}", self.script.display()))?;
        ensure!(
            output.status.success(),
            "packages of Debian {SUITE} could not be fetched:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        for package in missing {
            let file = fresh.path().join(&package.file);
            let sha256 = digest::of_file(&file)?;
            ensure!(
                sha256 == package.sha256,
                "{} has the digest {sha256}, but the archive's list says {}",
                package.file,
                package.sha256
            );
            fs::rename(&file, files.join(&package.file))
                .with_context(|| format!("can't keep {}", package.file))?;
        }
        Ok(())
    }
}

/// The kernel that the package of the day depends on.
fn kernel_of(answer: &str) -> anyhow::Result<String> {
    let found = answer
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"));
    match found {
        Some(name) if name.starts_with(KERNEL_PREFIX) => Ok(name.to_owned()),
        Some(name) => bail!("Debian {SUITE} has the kernel {name}; only {KERNEL_PREFIX}* was tried"),
        None => bail!("{KERNEL_OF_THE_DAY} of Debian {SUITE} depends on no kernel"),
    }
}

/// `'URI' NAME_VERSION_ARCHITECTURE.deb SIZE SHA256:DIGEST`
fn parse_uri_line(line: &str) -> anyhow::Result<Taken> {
    let parse = || {
        let mut words = line.split(' ').skip(1);
        let file = words.next()?.to_owned();
        let sha256 = words.nth(1)?.strip_prefix("SHA256:")?.to_owned();
        let mut parts = file.strip_suffix(".deb")?.split('_');
        let name = parts.next()?.to_owned();
        // An epoch's colon is escaped in the name of a file.
        let version = parts.next()?.replace("%3a", ":");
        let architecture = parts.next()?.to_owned();
        let role =
            TABLE.iter().find(|package| package.name == name).map_or(Role::Shipped, |package| package.role);
        Some(Taken { name, version, architecture, sha256, role, file })
    };
    parse().with_context(|| format!("apt names a package in an unknown way: {line}"))
}

/// Unpacks into `CACHE/root-DIGEST`, where that is not there yet.
fn unpack(taken: &[Taken], files: &Path, cache: &Path) -> anyhow::Result<PathBuf> {
    let all: String = taken.iter().map(|package| format!("{} {}\n", package.sha256, package.file)).collect();
    let root = cache.join(format!("root-{}", &digest::of_bytes(all.as_bytes())[..16]));
    if root.exists() {
        return Ok(root);
    }
    say::line(format_args!("unpacking {} packages", taken.len()));
    let fresh = tempfile::tempdir_in(cache).context("can't make a folder to unpack to")?;
    for package in taken {
        let file = files.join(&package.file);
        let status = Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&file)
            .arg(fresh.path())
            .status()
            .context("can't start dpkg-deb: this needs Debian, or a container of it")?;
        ensure!(status.success(), "dpkg-deb could not unpack {}", file.display());
    }
    fs::rename(fresh.path(), &root).with_context(|| format!("can't make {}", root.display()))?;
    Ok(root)
}

#[cfg(test)]
impl Taken {
    /// For the tests of those who list packages.
    pub(crate) fn sample(name: &str, version: &str) -> Self {
        let file = format!("{name}_{version}_amd64.deb");
        parse_uri_line(&format!("'a://b' {file} 1 SHA256:ab12")).expect("apt's own format")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_name_version_and_digest_from_apts_line() {
        let taken =
            parse_uri_line("'a://b/zlib1g_1%3a1.3-1_amd64.deb' zlib1g_1%3a1.3-1_amd64.deb 88720 SHA256:ab12")
                .expect("apt's own format");
        assert_eq!((taken.name.as_str(), taken.version.as_str()), ("zlib1g", "1:1.3-1"));
        assert_eq!((taken.architecture.as_str(), taken.sha256.as_str()), ("amd64", "ab12"));
        assert!(taken.role == Role::Library);
        assert!(parse_uri_line("'a://b/c.deb' c.deb 1 MD5Sum:ab").is_err());
    }

    #[test]
    fn refuses_a_kernel_that_nobody_tried() {
        let answer = |name| format!("linux-image-amd64\n  Depends: {name}\n");
        assert_eq!(
            kernel_of(&answer("linux-image-6.12.9+deb13-amd64")).ok().as_deref(),
            Some("linux-image-6.12.9+deb13-amd64")
        );
        let error = kernel_of(&answer("linux-image-7.1-amd64")).expect_err("another kernel").to_string();
        assert!(error.contains("linux-image-7.1-amd64"), "{error}");
    }
}
