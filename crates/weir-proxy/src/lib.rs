//! (to come)

pub mod access_log;
