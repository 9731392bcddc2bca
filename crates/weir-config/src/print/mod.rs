//! A configuration as a file: the shortest that means the same. Defaults are left out.
//!
//! The running configuration is shown this way, whatever its file looked like; so comments, aliases and
//! the ways in which values were written are not kept. A file never holds a secret, so neither does this.

mod file;
mod yaml;

use crate::codec::Codec as _;
use crate::model::Config;
use crate::raw;

/// A file that [`parse`](crate::parse) makes `config` of.
pub fn to_yaml(config: &Config) -> String {
    yaml::print(&raw::FILE.encode(&file::file(config)))
}
