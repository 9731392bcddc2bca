//! By the request's path and query: each server's cache sees its own part of them.

use std::sync::Arc;

use super::ring::Ring;
use super::{Balancer, Members, PickKey, hash};

/// Consistent hashing of the path and query, as they were sent.
#[derive(Debug)]
pub(super) struct UriHash {
    ring: Arc<Ring>,
}

impl UriHash {
    pub(super) fn new(ring: Arc<Ring>) -> Self {
        Self { ring }
    }
}

impl Balancer for UriHash {
    /// The ring holds every member, whatever its health.
    fn members_changed(&mut self, _members: &dyn Members) {}

    fn pick(&mut self, key: &PickKey<'_>, members: &dyn Members) -> Option<usize> {
        self.ring.pick(hash::bytes(key.uri.as_bytes()), members)
    }
}
