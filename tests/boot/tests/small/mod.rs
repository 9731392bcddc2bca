//! What is run for every change.

mod faults;
mod machines;
