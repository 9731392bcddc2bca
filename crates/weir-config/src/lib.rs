//! Weir's configuration: the file's schema, its validation and its diagnostics; and health, which is
//! configuration come to life: the probes that a `check:` describes and the machine that judges them.
//!
//! What a user typed (`raw`) becomes what it means ([`model`]) in exactly one place, `validate`, and only
//! when every mistake in the file has been looked for. After that there is no `Option` that must be
//! `Some` and no string that must be an address. This crate does not know the proxy and binds nothing.
//!
//! One table of fields for each mapping of the file (`raw`, made of `codec`s) reads it, prints it
//! ([`to_yaml`]), describes it to editors ([`json_schema`]) and to people ([`reference_markdown`]).

mod codec;
mod diagnostic;
pub mod health;
pub mod model;
mod print;
mod raw;
mod reference;
mod schema;
mod suggest;
pub mod tls;
mod tree;
mod validate;

pub use diagnostic::{Color, Diagnostic, Diagnostics, SHOWN_MAX, Severity};
pub use model::Config;
pub use print::to_yaml;
pub use reference::reference_markdown;
pub use schema::json_schema;

use codec::{Context, Problem};
use model::Admin;
use tree::{NodeId, Tree};

/// A valid file.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it means.
    pub config: Config,
    /// What is allowed in it and yet probably a mistake.
    pub warnings: Diagnostics,
}

/// A valid file, with what is in the files that it names.
#[derive(Debug)]
pub struct Ready {
    /// What it means.
    pub config: Config,
    /// Its TLS.
    pub tls: tls::Tls,
    /// What is allowed in it and yet probably a mistake.
    pub warnings: Diagnostics,
}

/// Reads a configuration file and the files that it names; `before` is what the last one had, of which only what
/// changed is read again.
///
/// # Errors
/// Everything that is wrong with `text`; if nothing is, everything that is wrong with the files.
pub fn load(text: &str, before: &tls::Tls) -> Result<Ready, Diagnostics> {
    load_with(text, &Admin::default(), before)
}

/// The same, where `default_admin` holds if the file has no `admin` section.
///
/// # Errors
/// As [`load`].
pub fn load_with(text: &str, default_admin: &Admin, before: &tls::Tls) -> Result<Ready, Diagnostics> {
    let Parsed { config, warnings } = parse_with(text, default_admin)?;
    match tls::load(text, &config, default_admin, before) {
        Ok(tls::Loaded { tls, warnings: more }) => Ok(Ready { config, tls, warnings: warnings.with(more) }),
        Err(found) => Err(warnings.with(found)),
    }
}

/// Reads a configuration file.
///
/// # Errors
/// Everything that is wrong with `text`, warnings included, in the order of the text. Only where it is not
/// YAML at all, or exceeds what a file may be (64 MiB, 4,000,000 values, 64 levels), is there one error:
/// the first.
pub fn parse(text: &str) -> Result<Parsed, Diagnostics> {
    parse_with(text, &Admin::default())
}

fn parse_with(text: &str, default_admin: &Admin) -> Result<Parsed, Diagnostics> {
    let tree = Tree::parse(text).map_err(|error| diagnostic::syntax_error(text, error))?;
    let mut cx = Context::new(&tree);
    let Some(root) = tree.root() else {
        cx.problem(NodeId::NONE, Problem::new("the file is empty").hint("it begins with `version: 1`"));
        return Err(cx.findings.locate(&tree));
    };
    let config = validate::validate(root, default_admin, &mut cx);
    let found = cx.findings.locate(&tree);
    match config {
        Some(config) => Ok(Parsed { config, warnings: found }),
        None => Err(found),
    }
}
