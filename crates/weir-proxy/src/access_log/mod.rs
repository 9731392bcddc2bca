//! The access log: one line an exchange, written without ever making traffic wait.
//!
//! A worker formats a [`Record`] into its own [`Sink`]; full buffers go to the one thread behind
//! [`Writer`]. When that thread is behind and a worker holds `access_buffer_bytes` of lines, further lines
//! are dropped and counted. This module does not decide what an exchange's outcome was: the record says.

mod common;
mod json;
mod output;
mod record;
mod sink;
#[cfg(test)]
mod tests;
mod timestamp;
mod writer;

pub use output::Output;
pub use record::{Kind, Record, Times};
pub use sink::Sink;
pub use timestamp::rfc3339;
pub use writer::{Counts, Writer};
