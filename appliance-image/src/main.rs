//! Builds the appliance's disk image.

fn main() {}
