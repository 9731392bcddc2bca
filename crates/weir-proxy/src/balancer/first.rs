//! The first member, in the file's order, that can take the exchange: fills one server before it touches the
//! next, so that the rest can be stopped. Weights do not matter. A pick looks at the full ones before it.

use super::{Balancer, Members, PickKey, eligible};

/// The first with room.
#[derive(Debug, Default)]
pub(super) struct First {
    /// The members with a share, in order: a pick does not look at the others.
    candidates: Vec<usize>,
}

impl Balancer for First {
    fn members_changed(&mut self, members: &dyn Members) {
        self.candidates.clear();
        self.candidates.extend((0..members.len()).filter(|&member| members.share(member) > 0));
    }

    fn pick(&mut self, _key: &PickKey<'_>, members: &dyn Members) -> Option<usize> {
        self.candidates.iter().copied().find(|&member| eligible(members, member))
    }
}
