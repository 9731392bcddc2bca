//! Diagnostics on standard error: one line each, coloured on a terminal.

use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use weir_config::Color;
use weir_config::model::LogLevel;

/// Starts diagnostics at `level`; the environment's `WEIR_LOG` (tracing's filter syntax) goes first.
pub(crate) fn start(level: LogLevel) {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    // What hickory says repeats the control loop in other words; hyper and h2 tell every frame.
    let usual = format!("{level},hickory_resolver=error,hickory_proto=error,hyper=error,h2=error");
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let started = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_target(false)
        .try_init();
    if let Err(error) = started {
        say(&format!("weir: diagnostics not started: {error}"));
    }
}

/// A line on standard error. When nobody reads that, there is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

/// Data on standard output. A reader that has gone away (`| head`) wants no more of it.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Whether diagnostics may be coloured.
pub(crate) fn color() -> Color {
    let wanted = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if wanted { Color::Always } else { Color::Never }
}
