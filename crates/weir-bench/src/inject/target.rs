//! A URL to ask for: scheme, host, port, and what stands in the request's first line.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::{Deserialize, Serialize};

/// The longest URL.
const BYTES_MAX: usize = 8 << 10;

/// A URL with a scheme that is known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Target {
    /// Whether it is `https`.
    pub is_tls: bool,
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// The port, the scheme's own if the URL has none.
    pub port: u16,
    /// Path and query, never empty.
    pub path: String,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no URL to ask for: {why}")]
pub struct TargetError {
    text: String,
    why: &'static str,
}

impl Target {
    /// Host and port as a request names them: the port only where it isn't the scheme's, IPv6 in brackets.
    pub fn authority(&self) -> String {
        if self.port == usual_port(self.is_tls) { self.bracketed() } else { self.address() }
    }

    /// Host and port, always both.
    pub fn address(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    /// Whether both are reached by the same connections.
    pub fn is_beside(&self, other: &Self) -> bool {
        (self.is_tls, &self.host, self.port) == (other.is_tls, &other.host, other.port)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

fn usual_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let refused = |why| {
            let text = text.chars().take(200).collect();
            TargetError { text, why }
        };
        if text.len() > BYTES_MAX {
            return Err(refused("it is longer than 8 KiB"));
        }
        let uri: Uri = text.parse().map_err(|_| refused("write it like `http://192.0.2.1:8080/?s=64k`"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(refused("only `http` and `https` are known")),
            None => return Err(refused("it has no scheme; write it like `http://192.0.2.1:8080/`")),
        };
        let authority = uri.authority().ok_or_else(|| refused("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("a user or a password is not sent; leave it out"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(refused("it has no host"));
        }
        let port = match (authority.port_u16(), authority.as_str().rsplit_once(':')) {
            (Some(0), _) => return Err(refused("port 0 can't be reached")),
            (Some(port), _) => port,
            (None, Some((_, digits))) if !digits.contains(']') => {
                return Err(refused("its port is not a number up to 65535"));
            }
            (None, _) => usual_port(is_tls),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}") };
        Ok(Self { is_tls, host: host.to_owned(), port, path })
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_written_again() {
        for (text, is_tls, host, port, path, again) in [
            ("http://127.0.0.1:8080/?s=64k", false, "127.0.0.1", 8080, "/?s=64k", None),
            ("https://h.example", true, "h.example", 443, "/", Some("https://h.example/")),
            ("http://h:80/a", false, "h", 80, "/a", Some("http://h/a")),
            ("http://[::1]:81/", false, "::1", 81, "/", None),
            ("https://[::1]/", true, "::1", 443, "/", None),
            ("http://h?s=1", false, "h", 80, "/?s=1", Some("http://h/?s=1")),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(
                (target.is_tls, target.host.as_str(), target.port, target.path.as_str()),
                (is_tls, host, port, path),
                "{text}"
            );
            assert_eq!(target.to_string(), again.unwrap_or(text));
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_a_reason() {
        for (text, word) in [
            ("127.0.0.1:8080", "scheme"),
            ("/path", "scheme"),
            ("ftp://h/", "http"),
            ("http://u:p@h/", "password"),
            ("http://h:0/", "port 0"),
            ("http://h:99999/", "65535"),
            ("http:///", "write it like"),
            ("http://h h/", "write it like"),
            ("", "write it like"),
        ] {
            let why = text.parse::<Target>().unwrap_err().to_string();
            assert!(why.contains(word), "{text}: {why}");
        }
        let long = format!("http://h/{}", "a".repeat(BYTES_MAX));
        assert!(long.parse::<Target>().unwrap_err().to_string().contains("8 KiB"));
    }
}
