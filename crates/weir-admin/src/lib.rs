//! What operators and scripts talk to: the admin API, the metrics, the page for people.
//!
//! [`Operator`] starts the data plane and stands in front of it. Requests become commands of the control
//! loop, statuses and counters become JSON, text or HTML; nothing here reaches into the data plane. One path
//! leads to a new configuration, whoever asks for it: [`Operator::reload`].
//!
//! The API is served by hyper on the main thread, apart from all traffic, and trusts nobody: every request is
//! bounded in size and time, and judged by the same framing guard as the traffic of clients.

mod api;
mod failure;
mod metrics;
mod openapi;
mod operator;
mod process;
mod reloads;
mod save;
mod server;
mod setup;
mod system;
mod token;
mod view;

pub use failure::{ReloadError, StartError};
pub use operator::Operator;
pub use save::Stamp;
pub use setup::Setup;
