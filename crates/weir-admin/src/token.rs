//! The bearer token that requests must carry, and the file it comes from.
//!
//! Its text is never printed: the type has no `Debug`, and no error carries it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;

/// The fewest characters of a token: 16 of them, drawn at random, can't be guessed over a network.
const CHARACTERS_MIN: usize = 16;
/// The most bytes that are looked at for the first line.
const LINE_BYTES_MAX: u64 = 4096;

/// The token that requests must carry.
pub(crate) struct Token(Box<[u8]>);

/// The file with the admin token is of no use.
#[derive(Debug, thiserror::Error)]
#[error("admin.token_file: {}: {fault}", path.display())]
pub struct TokenError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("can't read it: {0}; it must exist and be readable by the user that runs Weir")]
    Unreadable(#[from] io::Error),
    #[error("it is not a regular file, and must be one: it is read again at every reload")]
    NotAFile,
    #[error(
        "its first line has {0} characters; at least {CHARACTERS_MIN} are needed, for example from \
         `head -c 24 /dev/urandom | base64`"
    )]
    TooShort(usize),
    #[error(
        "its first line is longer than 4096 bytes; put the token alone on it, for example from \
         `head -c 24 /dev/urandom | base64`"
    )]
    TooLong,
    #[error(
        "its first line has a space or a character that is not printable ASCII; a header can't carry that"
    )]
    Unprintable,
}

impl Token {
    /// Reads the first line of the file at `path`, without the white space around it.
    pub(crate) fn read(path: &Path) -> Result<Self, TokenError> {
        first_line(path)
            .and_then(|line| Self::new(&line))
            .map_err(|fault| TokenError { path: path.to_owned(), fault })
    }

    fn new(line: &[u8]) -> Result<Self, Fault> {
        let token = line.trim_ascii();
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(Fault::Unprintable);
        }
        if token.len() < CHARACTERS_MIN {
            return Err(Fault::TooShort(token.len()));
        }
        Ok(Self(token.into()))
    }

    /// Whether `offered` is the token, in a time that does not depend on where they differ.
    pub(crate) fn matches(&self, offered: &[u8]) -> bool {
        self.0.ct_eq(offered).into()
    }
}

fn first_line(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    // A pipe that nobody writes to would hold up this reload, and every later one, for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Fault::NotAFile);
    }
    File::open(path)?.take(LINE_BYTES_MAX).read_to_end(&mut bytes)?;
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => bytes.truncate(end),
        None if bytes.len() as u64 == LINE_BYTES_MAX => return Err(Fault::TooLong),
        None => {}
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts_without_the_space_around_it() {
        let token = Token::new(b"  0123456789abcdef\r").ok().unwrap();
        assert!(token.matches(b"0123456789abcdef"));
        for wrong in [&b"0123456789abcdeF"[..], b"0123456789abcde", b"0123456789abcdef0", b""] {
            assert!(!token.matches(wrong));
        }
    }

    #[test]
    fn a_token_of_no_use_is_refused_with_a_remedy() {
        for (line, says) in [
            (&b"short"[..], "5 characters; at least 16"),
            (b"", "0 characters"),
            (b"0123456789 abcdef", "a space"),
            (b"0123456789abcdef\x00", "not printable"),
        ] {
            let fault = Token::new(line).err().unwrap().to_string();
            assert!(fault.contains(says), "{fault}");
        }
        let error = Token::read(Path::new("/nowhere/token")).err().unwrap().to_string();
        assert!(error.starts_with("admin.token_file: /nowhere/token: can't read it"), "{error}");
        let error = Token::read(Path::new("/dev/null")).err().unwrap().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
