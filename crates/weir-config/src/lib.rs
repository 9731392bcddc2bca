//! Weir's configuration: the file's schema, its validation and its diagnostics; and health, which is
//! configuration come to life: the probes that a `check:` describes and the machine that judges them.
//!
//! What a user typed (`raw`) becomes what it means ([`model`]) in exactly one place, `validate`, and only
//! when every mistake in the file has been looked for. After that there is no `Option` that must be
//! `Some` and no string that must be an address. This crate does not know the proxy and binds nothing.

pub mod health;
pub mod model;

pub use model::Config;
