//! The data plane (to come).

pub mod access_log;
pub mod balancer;
pub mod framing;
pub mod route;
