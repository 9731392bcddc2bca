//! The file as a user writes it: one struct and one table of fields for each mapping in it.
//!
//! A row of a table is the only definition of a key: its name, its type and bounds, its description and,
//! through the struct's `Default`, its default. Reading, printing, the JSON Schema and the reference page
//! all come from it. Where a mapping of the file is a struct of [`model`](crate::model) as it stands, the
//! table fills that struct; where names must be looked up or keys go together, it fills a struct of this
//! module, and `validate` makes the model of it.

mod check;
mod file;
mod listener;
mod pool;
mod route;
mod system;
mod tls;

pub(crate) use check::Check;
pub(crate) use file::{File, VERSION};
pub(crate) use listener::Listener;
pub(crate) use pool::{BalanceWord, Pool, Server};
pub(crate) use route::{Match, Route};
pub(crate) use system::{Interface, InterfaceRoute, System};

use crate::codec::{Nested, nested};

/// The codec of the whole file.
pub(crate) const FILE: Nested<File> = nested();
