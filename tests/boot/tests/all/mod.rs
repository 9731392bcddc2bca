//! What is run before a release: what takes long, and what stands around the appliance elsewhere.

mod configuration;
mod disks;
mod faults;
mod formats;
mod hyperv;
mod machines;
mod network;
mod slots;
mod xen;
