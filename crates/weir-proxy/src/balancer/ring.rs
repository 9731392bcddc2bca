//! Consistent hashing: servers own points on a ring, and a key goes to the server that owns the next point.
//!
//! All members of a weight are on the ring, the unhealthy too, and a server's points follow from its name
//! alone. So when one of N is taken out, by its health or from the file, exactly its keys move, about 1/N, to
//! the servers next on the ring, and they come back with it. A server that starts slowly takes a growing part
//! of its keys, always the same ones first. The same keys go to the same servers on every machine and after
//! every restart.
//!
//! With 512 points the shares of servers of equal weight differ by 4.4 % (one standard deviation).

use super::hash::mix;
use super::{Members, SHARE_OF_WEIGHT, eligible};

/// Points of a server of weight 1. Halved until the ring has at most [`POINTS_MAX`].
const POINTS_OF_WEIGHT: u64 = 512;

/// Points of a ring, 8 MiB, unless the sum of the weights is larger still. Where adding a server halves the points of the others, more keys move than that
/// server takes: at a sum of weights of 2,048 and at its doubles.
const POINTS_MAX: u64 = 1 << 20;

/// Points whose owners cannot be picked before all members are looked at instead. With nine of ten servers
/// down, one key in a million gets there, and weights no longer count for it.
const WALK_MAX: usize = 128;

/// A point is a place (the upper 40 bits) and its owner's index (the lower 24).
const OWNER_BITS: u32 = 24;

/// The points of all members of a weight, sorted.
#[derive(Debug)]
pub(super) struct Ring {
    points: Box<[u64]>,
}

impl Ring {
    /// The ring of these members' names and configured weights; nothing else of them counts.
    pub(super) fn new(members: &dyn Members) -> Self {
        let weights = || (0..members.len()).map(|member| u64::from(members.ring_weight(member)));
        let total: u64 = weights().sum();
        let mut each = POINTS_OF_WEIGHT;
        while each > 1 && total * each > POINTS_MAX {
            each /= 2;
        }
        let mut points = Vec::with_capacity(usize::try_from(total * each).unwrap_or(0));
        for (weight, owner) in weights().zip(0_u64..1 << OWNER_BITS) {
            // SplitMix64, seeded with the name.
            let mut state = members.identity(usize::try_from(owner).expect("an index came from a usize"));
            for _ in 0..weight * each {
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                points.push(mix(state) >> OWNER_BITS << OWNER_BITS | owner);
            }
        }
        points.sort_unstable();
        Self { points: points.into() }
    }

    /// The eligible member that comes first on the ring for a key with this hash.
    pub(super) fn pick(&self, key: u64, members: &dyn Members) -> Option<usize> {
        let place = key >> OWNER_BITS << OWNER_BITS;
        let (before, after) = self.points.split_at(self.points.partition_point(|&point| point < place));
        let mut deferred = None;
        for &point in after.iter().chain(before).take(WALK_MAX) {
            let member = (point & ((1 << OWNER_BITS) - 1)) as usize;
            if eligible(members, member) {
                if has_warmed_to(key, member, members) {
                    return Some(member);
                }
                deferred = deferred.or(Some(member));
            }
        }
        deferred.or_else(|| rendezvous(key, members))
    }
}

/// Whether a member that starts slowly already takes this key: the part of its keys that its share is of its
/// full one.
fn has_warmed_to(key: u64, member: usize, members: &dyn Members) -> bool {
    let full = u64::from(members.ring_weight(member)) * u64::from(SHARE_OF_WEIGHT);
    let share = u64::from(members.share(member));
    let turn = (mix(key ^ members.identity(member)) >> 32) * full;
    turn >> 32 < share
}

/// The eligible member that ranks highest for this key: highest random weight hashing (Thaler and Ravishankar,
/// 1998), which moves no other keys either when a member comes or goes, but looks at every member.
fn rendezvous(key: u64, members: &dyn Members) -> Option<usize> {
    (0..members.len())
        .filter(|&member| eligible(members, member))
        .max_by_key(|&member| mix(key ^ members.identity(member)))
}
