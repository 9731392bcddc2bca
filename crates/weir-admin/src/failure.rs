//! Why a start or a reload did not happen, for people at a terminal. The API says the same as a problem.

use std::io;
use std::net::SocketAddr;

use weir_config::{Color, Diagnostics};
use weir_proxy::ApplyError;

use crate::token::TokenError;

/// Why Weir could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file with the admin token is of no use.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The admin address can't be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The data plane can't start.
    #[error(transparent)]
    Proxy(#[from] weir_proxy::StartError),
}

/// Why a reload was refused. What served before still does.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The text is no valid configuration.
    #[error("the configuration is not valid: {}", summary(.0))]
    Invalid(Diagnostics),
    /// The file with the admin token is of no use.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The admin address can't be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The data plane can't serve it.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The configuration in force is not the one that was to be replaced.
    #[error("the configuration has changed meanwhile; generation {now} is in force")]
    Stale {
        /// The generation that is in force.
        now: u64,
    },
    /// A defect in Weir ended the work.
    #[error("a defect in Weir ended the reload")]
    Defect,
}

/// The admin address can't be bound.
#[derive(Debug, thiserror::Error)]
#[error("admin.bind: can't bind {address}: {source}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the kernel says.
    pub source: io::Error,
}

impl ReloadError {
    /// For people: every diagnostic with its place, or one line. `text` is what was to be loaded, and `file`
    /// what to call it.
    pub fn render(&self, file: &str, text: &str, color: Color) -> String {
        match self {
            Self::Invalid(found) => found.render(file, text, color),
            Self::Token(_) | Self::Bind(_) | Self::Apply(_) | Self::Stale { .. } | Self::Defect => {
                format!("error: {file}: {self}\n")
            }
        }
    }
}

/// The first diagnostic, and how many more there are, in one line.
fn summary(found: &Diagnostics) -> String {
    let Some(first) = found.iter().next() else { return "no reason is known".to_owned() };
    let text = format!("line {}: {}", first.line, first.message);
    match found.errors() + found.warnings() - 1 {
        0 => text,
        more => format!("{text} (and {more} more)"),
    }
}
