//! What Weir brings along to be tried and measured with: the origin server behind `weir demo` and the
//! benchmarks, the comparison with other proxies, and the count of what a request costs. Stands apart from the proxy:
//! nothing here imports it.

pub mod cost;
pub mod harness;
pub mod inject;
pub mod matrix;
mod net;
pub mod objects;
pub mod origin;
pub mod peers;
pub mod report;
pub mod results;
