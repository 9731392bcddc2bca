//! `weir check`: every mistake in a configuration file at once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use weir_config::tls::Tls;
use weir_config::{Parsed, Ready};

use crate::logging::{color, print, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The configuration file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print the configuration as it is understood, without comments and defaults
    #[arg(long)]
    print: bool,
    /// Look at the text alone: the certificates that it names need not be here
    #[arg(long)]
    text_only: bool,
}

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let name = options.config.display().to_string();
    let text = read(&options.config)?;
    let checked = if options.text_only {
        weir_config::parse(&text)
    } else {
        weir_config::load(&text, &Tls::default())
            .map(|Ready { config, warnings, .. }| Parsed { config, warnings })
    };
    match checked {
        Ok(Parsed { config, warnings }) => {
            if !warnings.is_empty() {
                say(&warnings.render(&name, &text, color()));
            }
            if options.print {
                print(&weir_config::to_yaml(&config));
            } else {
                let (listeners, pools) = (config.listeners.len(), config.pools.len());
                let servers: usize = config.pools.iter().map(|pool| pool.servers.len()).sum();
                let all = [count(listeners, "listener"), count(pools, "pool"), count(servers, "server")];
                say(&format!("{name}: valid ({})", all.join(", ")));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(found) => {
            say(&found.render(&name, &text, color()));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// `2 pools`, `1 pool`.
fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Reads a configuration file, or standard input for `-`.
pub(crate) fn read(path: &std::path::Path) -> anyhow::Result<String> {
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).context("can't read standard input")?;
        bytes
    } else {
        std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?
    };
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
        anyhow::anyhow!("{}:{line}: not UTF-8; save the file as UTF-8", path.display())
    })
}
