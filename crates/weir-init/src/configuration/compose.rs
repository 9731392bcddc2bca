//! The configuration file that first-boot data makes: its own, or the default one, with what else the data says of the
//! machine written into `system`, so that from then on one file has it all.

use weir_config::{Config, Diagnostics, Parsed};

use crate::sources::Seed;

/// The text and what it means; or the text that isn't valid, and why.
pub(super) fn compose(seed: &Seed, default: &str) -> Result<(String, Config), (String, Diagnostics)> {
    let text = seed.config.clone().unwrap_or_else(|| default.to_owned());
    match weir_config::parse(&text) {
        Ok(Parsed { config, .. }) => Ok((text, config)),
        Err(found) => Err((text, found)),
    }
}
