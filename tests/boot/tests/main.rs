//! The image itself in emulated machines, one module a topic. See the crate `weir_boot_tests` for what they are
//! written with.
//!
//! All are ignored by a plain `cargo test`, as they need a built image: `make test-boot` builds one and runs those in
//! `small`, a few minutes on two cores; `make test-boot-all` runs those in `all`, too; `make boot-times` prints what
//! `times` measures.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it saw"
)]

mod all;
mod matrix;
mod small;
mod times;
