//! DHCPv4 (RFC 2131): the client's side of it, one for each card.
//!
//! [`machine`] is the dialogue, pure; [`message`] its bytes; [`frame`] what is around them while the card has no
//! address; [`socket`] what carries them; [`lease`] what is got by it, and kept over a restart. [`Client`] puts them
//! together.
//!
//! It does not probe an address with ARP before it uses it (RFC 2131 has it as a SHOULD), and gives no lease back:
//! the same machine asks for it again.

mod client;
mod frame;
mod lease;
mod machine;
mod message;
mod socket;

pub(super) use client::{Client, Event};
pub(super) use lease::Lease;
