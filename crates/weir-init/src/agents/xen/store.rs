//! A client of xenstore, over the kernel's `/dev/xen/xenbus` (Xen's `docs/misc/xenstore.txt` and `io/xs_wire.h`): one
//! request at a time, no watches, no transactions.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::time::Duration;

use crate::agents::timed::Timed;
use crate::sources::Machine;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The most bytes of a message's body (`XENSTORE_PAYLOAD_MAX`).
const PAYLOAD_BYTES_MAX: usize = 4096;
const HEADER_BYTES: usize = 16;
/// The most messages that are read past while an answer is waited for.
const OTHERS_MAX: usize = 16;
const DEVICE: &str = "dev/xen/xenbus";

const DIRECTORY: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 11;
const REMOVE: u32 = 13;
const ERROR: u32 = 16;

/// What can go wrong with xenstore.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("`{path}`: {error}")]
    Refused {
        path: String,
        /// As xenstored names it: EACCES.
        error: String,
    },
    #[error("an answer that is none")]
    Malformed,
    #[error("`{0}` is longer than a message of 4096 bytes")]
    TooLong(String),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Store<T> {
    io: T,
    request: u32,
}

/// Whether this is a guest of Xen.
pub(crate) fn is_there(machine: &Machine) -> bool {
    machine.path(DEVICE).exists()
}

/// Opens the kernel's connection.
pub(crate) fn open(machine: &Machine) -> Result<Store<Timed>, StoreError> {
    let file = OpenOptions::new().read(true).write(true).open(machine.path(DEVICE))?;
    Ok(Store::new(Timed { file, limit: ANSWER_LIMIT }))
}

impl<T: Read + Write> Store<T> {
    pub(crate) fn new(io: T) -> Self {
        Self { io, request: 0 }
    }

    #[cfg(test)]
    pub(crate) fn io(&self) -> &T {
        &self.io
    }

    /// A value; None where there is none. Paths are relative to the domain's own.
    pub(crate) fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        absent_is_none(self.ask(READ, path, &[path.as_bytes(), b"\0"]))
    }

    /// The names below a path; none where there is no such path.
    pub(crate) fn names(&mut self, path: &str) -> Result<Vec<String>, StoreError> {
        let names = absent_is_none(self.ask(DIRECTORY, path, &[path.as_bytes(), b"\0"]))?.unwrap_or_default();
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    pub(crate) fn write(&mut self, path: &str, value: &str) -> Result<(), StoreError> {
        self.ask(WRITE, path, &[path.as_bytes(), b"\0", value.as_bytes()]).map(drop)
    }

    /// Removes a path and what is below it; fine where there is none.
    pub(crate) fn remove(&mut self, path: &str) -> Result<(), StoreError> {
        absent_is_none(self.ask(REMOVE, path, &[path.as_bytes(), b"\0"])).map(drop)
    }

    fn ask(&mut self, kind: u32, path: &str, body: &[&[u8]]) -> Result<Vec<u8>, StoreError> {
        let body = body.concat();
        if body.len() > PAYLOAD_BYTES_MAX {
            return Err(StoreError::TooLong(path.to_owned()));
        }
        self.request = self.request.wrapping_add(1);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let header = [kind, self.request, 0, length].map(u32::to_ne_bytes).concat();
        self.io.write_all(&[header, body].concat())?;
        for _ in 0..OTHERS_MAX {
            let (answered, request, body) = self.receive()?;
            if request != self.request {
                continue;
            }
            return match answered {
                ERROR => {
                    let error = String::from_utf8_lossy(&body).trim_end_matches('\0').to_owned();
                    Err(StoreError::Refused { path: path.to_owned(), error })
                }
                answered if answered == kind => Ok(body),
                _ => Err(StoreError::Malformed),
            };
        }
        Err(StoreError::Malformed)
    }

    fn receive(&mut self) -> Result<(u32, u32, Vec<u8>), StoreError> {
        let mut header = [0; HEADER_BYTES];
        self.io.read_exact(&mut header)?;
        let number =
            |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let length = usize::try_from(number(12)).unwrap_or(usize::MAX);
        if length > PAYLOAD_BYTES_MAX {
            return Err(StoreError::Malformed);
        }
        let mut body = vec![0; length];
        self.io.read_exact(&mut body)?;
        Ok((number(0), number(4), body))
    }
}

fn absent_is_none(answer: Result<Vec<u8>, StoreError>) -> Result<Option<Vec<u8>>, StoreError> {
    match answer {
        Ok(body) => Ok(Some(body)),
        Err(StoreError::Refused { error, .. }) if error == "ENOENT" => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A xenstored of one domain.
    #[derive(Debug, Default)]
    pub(crate) struct Fake {
        pub(crate) entries: BTreeMap<String, String>,
        answers: Vec<u8>,
    }

    impl Fake {
        pub(crate) fn with(mut self, path: &str, value: &str) -> Self {
            self.entries.insert(path.to_owned(), value.to_owned());
            self
        }

        fn answer(&mut self, kind: u32, body: &[u8]) -> (u32, Vec<u8>) {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let (path, value) = text.split_once('\0').unwrap();
            let found = match kind {
                READ => self.entries.get(path).map(|value| value.clone().into_bytes()),
                DIRECTORY => {
                    let prefix = format!("{path}/");
                    let names =
                        self.entries.keys().filter_map(|key| key.strip_prefix(&prefix)?.split('/').next());
                    let names: Vec<String> = names.map(|name| format!("{name}\0")).collect();
                    (!names.is_empty()).then(|| names.concat().into_bytes())
                }
                WRITE => self
                    .entries
                    .insert(path.to_owned(), value.to_owned())
                    .map_or(Some(()), |_| Some(()))
                    .map(|()| b"OK\0".to_vec()),
                REMOVE => self.entries.remove(path).map(|_| b"OK\0".to_vec()),
                other => panic!("{other}"),
            };
            found.map_or_else(|| (ERROR, b"ENOENT\0".to_vec()), |body| (kind, body))
        }
    }

    impl Write for Fake {
        fn write(&mut self, message: &[u8]) -> io::Result<usize> {
            let number = |at: usize| u32::from_ne_bytes(message[at..at + 4].try_into().unwrap());
            let (kind, body) = self.answer(number(0), &message[HEADER_BYTES..]);
            // Something that nobody asked for goes before.
            for (kind, request, body) in [(15, 0, b"watch\0".to_vec()), (kind, number(4), body)] {
                let header = [kind, request, 0, u32::try_from(body.len()).unwrap()];
                self.answers.extend(header.map(u32::to_ne_bytes).concat());
                self.answers.extend(body);
            }
            Ok(message.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Fake {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(self.answers.len());
            buffer[..length].copy_from_slice(&self.answers[..length]);
            self.answers.drain(..length);
            Ok(length)
        }
    }

    #[test]
    fn values_are_read_written_listed_and_removed() {
        let mut store = Store::new(Fake::default().with("vm-data/a", "1").with("vm-data/b/c", "2"));
        assert_eq!(store.read("vm-data/a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(store.read("vm-data/x").unwrap(), None);
        assert_eq!(store.names("vm-data").unwrap(), ["a", "b"]);
        assert_eq!(store.names("none").unwrap(), [""; 0]);
        store.write("attr/x", "y").unwrap();
        store.remove("vm-data/a").unwrap();
        store.remove("vm-data/a").unwrap();
        assert_eq!(store.read("vm-data/a").unwrap(), None);
        assert!(matches!(store.write("long", &"x".repeat(5000)), Err(StoreError::TooLong(_))));
    }

    struct Script(io::Cursor<Vec<u8>>);

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(request) = bytes.get_mut(4..8) {
                request.copy_from_slice(&1u32.to_ne_bytes());
            }
            let _ = Store::new(Script(io::Cursor::new(bytes))).read("a");
        }
    }
}
