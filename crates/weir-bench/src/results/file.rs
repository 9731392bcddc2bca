//! The file of results: read whole, written whole and atomically, after each measurement.
//!
//! What is not such a file, is of another version, or of another scenario is refused; nothing is ever overwritten that
//! could not be read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Results, SCHEMA, VERSION};

/// The largest file that is read.
const BYTES_MAX: u64 = 256 << 20;

/// Why a file of results can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The system did not give it, or did not take it.
    #[error("can't {doing} {}: {error}", path.display())]
    System {
        /// Read or write.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is something else.
    #[error("{} holds no results of `weir bench matrix`: {why}", path.display())]
    Strange {
        /// Which.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// It was written by another Weir.
    #[error(
        "{} is of version {found} of the results; this program knows {VERSION}: {}",
        path.display(),
        if *found > VERSION { "a newer weir reads it" } else { "measure again, or use the weir that wrote it" }
    )]
    Version {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// Reads a file of results.
///
/// # Errors
/// When there is none, or it can't be used.
pub fn read(path: &Path) -> Result<Results, ResultsError> {
    let system = |error| ResultsError::System { doing: "read", path: path.into(), error };
    let strange = |why: String| ResultsError::Strange { path: path.into(), why };
    let bytes = fs::metadata(path).map_err(system)?.len();
    if bytes > BYTES_MAX {
        return Err(strange(format!("it has {bytes} bytes; the most is {BYTES_MAX}")));
    }
    let text = fs::read(path).map_err(system)?;
    // What it is must be known before what is in it can be judged.
    let head: Head = serde_json::from_slice(&text).map_err(|error| strange(error.to_string()))?;
    if head.schema != SCHEMA {
        return Err(strange(format!("its `schema` is `{}`, not `{SCHEMA}`", head.schema)));
    }
    if head.version != VERSION {
        return Err(ResultsError::Version { path: path.into(), found: head.version });
    }
    serde_json::from_slice(&text).map_err(|error| strange(error.to_string()))
}

#[derive(Deserialize)]
struct Head {
    schema: String,
    version: u32,
}

/// Writes a file of results; after a crash at any moment there is the old one or the new one.
///
/// # Errors
/// As the system has them.
pub fn write(path: &Path, results: &Results) -> Result<(), ResultsError> {
    let system = |error| ResultsError::System { doing: "write", path: path.into(), error };
    let text = serde_json::to_vec_pretty(results).map_err(|error| system(error.into()))?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let put = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(&text)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    put().map_err(system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::directory::Directory;
    use crate::results::{Compared, Environment, Mode, Scenario};

    fn results() -> Results {
        let scenario = Scenario {
            title: "a".into(),
            sizes: vec![0, 1024],
            modes: vec![Mode::Close],
            rounds: 3,
            duration_ms: 1000,
            warm_up_ms: 0,
            users: 8,
            native: None,
            relative_to: None,
            compares: Compared::Machines,
            targets: Vec::new(),
        };
        Results::new(scenario, Vec::new(), Environment::default(), 1)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = Directory::new(false).unwrap();
        let path = directory.path().join("r.json");
        write(&path, &results()).unwrap();
        assert_eq!(read(&path).unwrap(), results());
        write(&path, &Results { started_unix_ms: 2, ..results() }).unwrap();
        assert_eq!(read(&path).unwrap().started_unix_ms, 2);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_something_else_is_refused_and_says_why() {
        let directory = Directory::new(false).unwrap();
        let path = directory.path().join("r.json");
        let mut newer = serde_json::to_value(results()).unwrap();
        newer["version"] = 2.into();
        newer["scenario"] = "quite different".into();
        let mut older = newer.clone();
        older["version"] = 0.into();
        for (text, words) in [
            (newer.to_string(), "a newer weir reads it"),
            (older.to_string(), "measure again"),
            (r#"{"schema": "weir-bench-inject", "version": 1}"#.into(), "weir-bench-inject"),
            ("{}".into(), "missing field `schema`"),
            (String::new(), "EOF"),
            (r#"{"schema": "weir-bench-results", "version": 1}"#.into(), "missing field"),
        ] {
            fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("r.json"), "{error}");
        }
        assert!(read(&directory.path().join("none")).unwrap_err().to_string().contains("can't read"));
    }

    #[test]
    fn a_scenario_is_another_one_by_what_makes_figures_incomparable() {
        let one = results().scenario;
        assert_eq!(one.difference(&Scenario { rounds: 9, title: "b".into(), ..one.clone() }), None);
        let other = Scenario { users: 9, sizes: vec![1], ..one.clone() };
        assert_eq!(one.difference(&other).as_deref(), Some("other `sizes`, 8 `users` instead of 9"));
    }
}
