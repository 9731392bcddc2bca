//! By the value of a field, such as one that names a tenant or a session. Requests without it are spread at
//! random by the members' shares.

use std::sync::Arc;

use fastrand::Rng;
use http::HeaderName;

use super::draw::Draw;
use super::ring::Ring;
use super::{Balancer, Members, PickKey, hash};

/// Consistent hashing of a field's first value.
#[derive(Debug)]
pub(super) struct HeaderHash {
    field: HeaderName,
    ring: Arc<Ring>,
    rng: Rng,
    draw: Draw,
}

impl HeaderHash {
    pub(super) fn new(field: HeaderName, ring: Arc<Ring>, seed: u64) -> Self {
        Self { field, ring, rng: Rng::with_seed(seed), draw: Draw::default() }
    }
}

impl Balancer for HeaderHash {
    fn members_changed(&mut self, members: &dyn Members) {
        self.draw.refresh(members);
    }

    fn pick(&mut self, key: &PickKey<'_>, members: &dyn Members) -> Option<usize> {
        match key.fields.named(self.field.as_str()).next() {
            Some(value) => self.ring.pick(hash::bytes(value), members),
            None => self.draw.one(&mut self.rng, members),
        }
    }
}
