//! The comparison of Weir with other proxies on one machine: `make bench`, the program `against-peers`.
//!
//! Each proxy gets one worker on cores of its own; the origin and the load generator share others. What a request
//! costs the proxy in processor time is the figure that matters: it is the same whether or not the load could have
//! been higher, and a machine with two cores can tell it. Rounds are short and in turns, and a ratio is only ever
//! taken within a round, so that what else happens on the machine hits everybody alike.
//!
//! [`bench::Bench`] has what all measurements need; [`load`] puts load on a proxy; [`rounds`], [`idle`],
//! [`overload`] and [`scale`] are the measurements; [`report`] shows what they found, and [`results`] hands it to
//! `weir bench report`. Everything here runs on one thread, and every process it starts has a guard.

pub mod bench;
pub mod case;
mod client;
mod environment;
pub mod idle;
pub mod load;
mod memory;
pub mod overload;
pub mod proxies;
pub mod report;
pub mod results;
pub mod rounds;
mod running;
pub mod scale;
pub mod summary;
pub(crate) mod usage;
