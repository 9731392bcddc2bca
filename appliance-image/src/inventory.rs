//! Says what is in the image: the software bill of materials (CycloneDX 1.6), the list of Debian's packages, and the
//! digests of all files.
//!
//! Crates are those that are linked into the binary of this source tree, by cargo's own tree; their digests stand in
//! `Cargo.lock`. Invariant: no time and no random number, so that the same input gives the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::digest;
use crate::packages::table::{KERNEL_OF_THE_DAY, Role, SUITE, TABLE};
use crate::packages::{Packages, Taken};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A crate that is linked into the binary.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Crate {
    name: String,
    version: String,
    license: String,
    /// None for those of this source tree.
    sha256: Option<String>,
}

/// The bill of materials as JSON.
pub(crate) fn bill_of_materials(workspace: &Path, packages: &Packages) -> anyhow::Result<String> {
    let crates = crates(workspace)?;
    let mut components: Vec<Value> =
        packages.taken.iter().filter(|taken| taken.role == Role::Shipped).map(of_package).collect();
    components.extend(crates.iter().map(of_crate));
    let image = format!("weir-appliance@{VERSION}");
    let all: Vec<_> = components.iter().map(|component| component["bom-ref"].clone()).collect();
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "operating-system",
                "bom-ref": image,
                "name": "weir-appliance",
                "version": VERSION,
                "licenses": [{ "expression": "Apache-2.0 AND GPL-2.0-only AND GPL-3.0-or-later AND BSD-2-Clause AND MPL-2.0" }],
            },
            "properties": [{ "name": "weir:firmware-blobs", "value": "none" }],
        },
        "components": components,
        "dependencies": [{ "ref": image, "dependsOn": all }],
    });
    Ok(format!("{bill:#}\n"))
}

fn of_package(taken: &Taken) -> Value {
    let Taken { name, version, architecture, sha256, .. } = taken;
    let kernel = name.starts_with("linux-image-");
    // In a package URL, a version's `+` and `:` are escaped.
    let escaped = version.replace('+', "%2B").replace(':', "%3A");
    let reference =
        format!("pkg:deb/debian/{}@{escaped}?arch={architecture}&distro={SUITE}", name.replace('+', "%2B"));
    json!({
        "type": if kernel { "operating-system" } else { "library" },
        "bom-ref": reference,
        "supplier": { "name": "Debian" },
        "name": name,
        "version": version,
        "description": why(name),
        "hashes": [{ "alg": "SHA-256", "content": sha256 }],
        "purl": reference,
    })
}

fn of_crate(found: &Crate) -> Value {
    let Crate { name, version, license, sha256 } = found;
    let reference = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"));
    let hashes: Vec<_> = sha256.iter().map(|sha256| json!({ "alg": "SHA-256", "content": sha256 })).collect();
    json!({
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "licenses": [{ "expression": license }],
        "hashes": hashes,
        "purl": reference,
    })
}

fn why(name: &str) -> &'static str {
    TABLE
        .iter()
        .find(|package| package.name == name)
        .map_or("the kernel and its modules", |package| package.why)
}

/// The crates that cargo links into `weir`: not what only builds it.
fn crates(workspace: &Path) -> anyhow::Result<Vec<Crate>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace)
        .args(["tree", "--locked", "--package", "weir", "--edges", "normal,no-proc-macro"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--prefix", "none", "--format", "{p}|{l}"])
        .output()
        .context("can't start cargo to list the crates")?;
    ensure!(
        output.status.success(),
        "cargo could not list the crates:\n{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let tree = String::from_utf8(output.stdout).context("cargo's list is not UTF-8")?;
    let lock = fs::read_to_string(workspace.join("Cargo.lock")).context("can't read Cargo.lock")?;
    parse_tree(&tree, &checksums(&lock))
}

/// `NAME vVERSION[ (PATH)]|LICENSE[ (*)]`
fn parse_tree(tree: &str, checksums: &BTreeMap<(String, String), String>) -> anyhow::Result<Vec<Crate>> {
    let mut crates = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let parse = || {
            let (package, license) = line.trim_end_matches(" (*)").split_once('|')?;
            let mut words = package.split(' ');
            let name = words.next()?.to_owned();
            let version = words.next()?.strip_prefix('v')?.to_owned();
            let sha256 = checksums.get(&(name.clone(), version.clone())).cloned();
            // How licences were alternatives before SPDX's words.
            let license = license.replace('/', " OR ");
            Some(Crate { name, version, license, sha256 })
        };
        crates.push(parse().with_context(|| format!("cargo lists a crate in an unknown way: {line}"))?);
    }
    crates.sort();
    crates.dedup();
    Ok(crates)
}

/// Of `Cargo.lock`: by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut checksums = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim_matches([' ', '=', '"']).to_owned())
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (value("name "), value("version "), value("checksum "))
        {
            checksums.insert((name, version), checksum);
        }
    }
    checksums
}

/// One line a package, the kernel first: digest, name, version, what it is for.
pub(crate) fn list_of_packages(packages: &Packages) -> anyhow::Result<String> {
    let kernel = packages.kernel()?;
    let line = |taken: &Taken, role: &str| {
        let Taken { name, version, architecture, sha256, .. } = taken;
        format!("{sha256}  {name} {version} {architecture}  {role}: {}\n", why(name))
    };
    let mut list = format!(
        "# Debian's packages, of {SUITE}: SHA-256 of the .deb, name, version, architecture, what it is here for.\n\
         # The kernel is what {KERNEL_OF_THE_DAY} depended on. No firmware is in the image.\n"
    );
    list += &line(kernel, "kernel");
    for taken in packages.taken.iter().filter(|taken| taken.name != kernel.name) {
        let role = match taken.role {
            Role::Shipped => "in the image",
            Role::Tool => "tool",
            Role::Library => "library of",
        };
        list += &line(taken, role);
    }
    Ok(list)
}

/// As `sha256sum --check` reads it, sorted by name.
pub(crate) fn sums(folder: &Path, names: &[String]) -> anyhow::Result<String> {
    let mut names = names.to_vec();
    names.sort();
    names.iter().map(|name| Ok(format!("{}  {name}\n", digest::of_file(&folder.join(name))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"bytes\"\nversion = \"1.12.2\"\n\
                        source = \"registry+x\"\nchecksum = \"ab12\"\n\n[[package]]\nname = \"weir\"\nversion = \"0.1.0\"\n";

    #[test]
    fn every_linked_crate_stands_once_with_its_digest() {
        let tree = "weir v0.1.0 (/a/b)|Apache-2.0\nbytes v1.12.2|MIT/Apache-2.0\n\nbytes v1.12.2|MIT/Apache-2.0 (*)\n";
        let crates = parse_tree(tree, &checksums(LOCK)).expect("cargo's own format");
        assert_eq!(crates.len(), 2);
        assert_eq!(crates[0].sha256.as_deref(), Some("ab12"));
        assert_eq!(crates[0].license, "MIT OR Apache-2.0");
        assert_eq!((crates[1].name.as_str(), &crates[1].sha256), ("weir", &None));
        assert!(parse_tree("bytes\n", &BTreeMap::new()).is_err());
    }

    #[test]
    fn a_package_has_the_address_that_scanners_know_it_by() {
        let taken = Taken::sample("linux-image-6.12.9+deb13-amd64", "6.12.9-1+b1");
        let component = of_package(&taken);
        assert_eq!(
            component["purl"],
            "pkg:deb/debian/linux-image-6.12.9%2Bdeb13-amd64@6.12.9-1%2Bb1?arch=amd64&distro=trixie"
        );
        assert_eq!(component["hashes"][0]["content"], taken.sha256);
    }

    #[test]
    fn the_list_of_packages_begins_with_the_kernel() {
        let taken =
            vec![Taken::sample("kmod", "34-1"), Taken::sample("linux-image-6.12.9+deb13-amd64", "6.12.9-1")];
        let list = list_of_packages(&Packages { root: "/".into(), taken }).expect("a kernel is there");
        let first = list.lines().find(|line| !line.starts_with('#')).expect("a line");
        assert!(first.contains("linux-image-6.12.9+deb13-amd64 6.12.9-1 amd64  kernel:"), "{first}");
        assert_eq!(list.matches("linux-image-6.12.9").count(), 1);
    }
}
