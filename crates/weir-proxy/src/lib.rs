//! The data plane (to come).

pub mod access_log;
pub mod framing;
pub mod route;
