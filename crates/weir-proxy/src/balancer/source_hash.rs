//! By the client's address: the same client, the same server, while that server can be used.

use std::net::IpAddr;
use std::sync::Arc;

use super::ring::Ring;
use super::{Balancer, Members, PickKey, hash};

/// Consistent hashing of the client's whole address; its port does not count. An IPv4 address mapped into
/// IPv6 is the IPv4 address.
#[derive(Debug)]
pub(super) struct SourceHash {
    ring: Arc<Ring>,
}

impl SourceHash {
    pub(super) fn new(ring: Arc<Ring>) -> Self {
        Self { ring }
    }
}

impl Balancer for SourceHash {
    /// The ring holds every member, whatever its health.
    fn members_changed(&mut self, _members: &dyn Members) {}

    fn pick(&mut self, key: &PickKey<'_>, members: &dyn Members) -> Option<usize> {
        let hash = match key.source.to_canonical() {
            IpAddr::V4(address) => hash::bytes(&address.octets()),
            IpAddr::V6(address) => hash::bytes(&address.octets()),
        };
        self.ring.pick(hash, members)
    }
}
