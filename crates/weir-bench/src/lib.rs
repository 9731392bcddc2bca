//! What Weir brings along to be tried and measured with: the origin server behind `weir demo` and the
//! benchmarks, and the comparison with other proxies. Stands apart from the proxy: nothing here imports it.

pub mod harness;
pub mod origin;
pub mod peers;
