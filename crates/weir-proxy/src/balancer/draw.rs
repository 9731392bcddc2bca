//! Members drawn at random, each as often as its share says: a binary search in the sums of the shares.

use fastrand::Rng;

use super::{Members, eligible};

/// Draws that may meet members which do not admit before the rest are simply searched.
const DRAWS_MAX: usize = 8;

/// The shares of a pool's members, summed up.
#[derive(Debug, Default)]
pub(super) struct Draw {
    /// The members with a share, each with the sum of the shares up to and with its own.
    sums: Vec<(u64, usize)>,
}

impl Draw {
    /// Takes over the members' shares.
    pub(super) fn refresh(&mut self, members: &dyn Members) {
        self.sums.clear();
        let mut sum = 0;
        for member in 0..members.len() {
            let share = members.share(member);
            sum += u64::from(share);
            if share > 0 {
                self.sums.push((sum, member));
            }
        }
    }

    /// Two different members; the same one twice when it is the only one.
    pub(super) fn two(&self, rng: &mut Rng) -> Option<(usize, usize)> {
        let total = self.total()?;
        let first = self.slot(rng.u64(..total));
        let (end, first_member) = self.sums[first];
        let begin = first.checked_sub(1).map_or(0, |before| self.sums[before].0);
        // Drawn from what the first leaves of the total.
        let left = total - (end - begin);
        let second_member = match left {
            0 => first_member,
            left => {
                let point = rng.u64(..left);
                self.sums[self.slot(if point < begin { point } else { point + end - begin })].1
            }
        };
        Some((first_member, second_member))
    }

    /// One eligible member, if there is one.
    pub(super) fn one(&self, rng: &mut Rng, members: &dyn Members) -> Option<usize> {
        let total = self.total()?;
        let drawn = (0..DRAWS_MAX)
            .map(|_| self.sums[self.slot(rng.u64(..total))].1)
            .find(|&member| eligible(members, member));
        drawn.or_else(|| {
            let (before, after) = self.sums.split_at(self.slot(rng.u64(..total)));
            after.iter().chain(before).map(|&(_, member)| member).find(|&member| eligible(members, member))
        })
    }

    fn total(&self) -> Option<u64> {
        self.sums.last().map(|&(sum, _)| sum)
    }

    /// Whose share holds this point, which is below the total.
    fn slot(&self, point: u64) -> usize {
        self.sums.partition_point(|&(sum, _)| sum <= point)
    }
}
