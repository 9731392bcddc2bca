//! Routes by host: one hash look-up for the exact name, one for each depth at which the table has a wildcard,
//! and the group of the routes that name no host.
//!
//! Hosts that appear in the same routes share one group, so that one route with 100,000 names costs one
//! group. A host is looked up only at the depths of wildcards that exist: a name of thousands of labels, which
//! only an attacker sends, costs no more than another.

use std::collections::HashMap;

use weir_config::model::{HostPattern, PathMatch, Route};

use super::paths::PathIndex;

/// The routes that the same hosts appear in.
#[derive(Debug)]
pub(super) struct Group {
    /// Those with an exact path or a prefix.
    pub(super) paths: PathIndex,
    /// Those without a path, or with an expression for it; in file order.
    pub(super) rest: Box<[u32]>,
}

/// Groups of routes by host.
#[derive(Debug)]
pub(super) struct HostIndex {
    groups: Box<[Group]>,
    exact: HashMap<Box<str>, u32>,
    /// By suffix, with its leading dot.
    wildcard: HashMap<Box<str>, u32>,
    /// Bit `n` is set when `wildcard` has a suffix with `n` dots; a name has at most 127 labels.
    wildcard_depths: u128,
    /// The routes without a host.
    any: Option<u32>,
}

impl HostIndex {
    /// Indexes routes, whose order is that of the file.
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut exact: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut wildcard: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut any = Vec::new();
        for (route, index) in routes.iter().zip(0_u32..) {
            // A route has a host in its request or a name in its TLS, by its listener's protocol.
            for host in route.matches.hosts.iter().chain(&route.matches.sni) {
                match host {
                    HostPattern::Exact(name) => exact.entry(name).or_default().push(index),
                    HostPattern::Wildcard(suffix) => wildcard.entry(suffix).or_default().push(index),
                }
            }
            if route.matches.hosts.is_empty() && route.matches.sni.is_empty() {
                any.push(index);
            }
        }
        let mut interner = Interner { routes, groups: Vec::new(), ids: HashMap::new() };
        Self {
            wildcard_depths: wildcard.keys().fold(0, |depths, suffix| depths | depth_bit(dots(suffix))),
            exact: exact.into_iter().map(|(name, members)| (name.into(), interner.id(members))).collect(),
            wildcard: wildcard
                .into_iter()
                .map(|(suffix, members)| (suffix.into(), interner.id(members)))
                .collect(),
            any: (!any.is_empty()).then(|| interner.id(any)),
            groups: interner.groups.into(),
        }
    }

    /// The groups that speak of `host`, the most specific first.
    pub(super) fn groups(&self, host: &str) -> impl Iterator<Item = &Group> {
        let exact = self.exact.get(host).copied();
        exact
            .into_iter()
            .chain(self.wildcards(host))
            .chain(self.any)
            .filter_map(|id| self.groups.get(id as usize))
    }

    /// The groups of the wildcards whose suffix `host` ends in, the shortest first.
    fn wildcards(&self, host: &str) -> impl Iterator<Item = u32> {
        let depth_max = 128 - self.wildcard_depths.leading_zeros() as usize;
        memchr::memrchr_iter(b'.', host.as_bytes())
            .zip(1..depth_max)
            .filter(|&(at, depth)| at > 0 && self.wildcard_depths & depth_bit(depth) != 0)
            .filter_map(move |(at, _)| self.wildcard.get(host.get(at..)?).copied())
    }
}

fn dots(suffix: &str) -> usize {
    memchr::memchr_iter(b'.', suffix.as_bytes()).count()
}

fn depth_bit(depth: usize) -> u128 {
    u32::try_from(depth).ok().and_then(|depth| 1_u128.checked_shl(depth)).unwrap_or(0)
}

/// Makes one group for each set of routes.
struct Interner<'a> {
    routes: &'a [Route],
    groups: Vec<Group>,
    ids: HashMap<Vec<u32>, u32>,
}

impl Interner<'_> {
    fn id(&mut self, mut members: Vec<u32>) -> u32 {
        // A name that stands twice in one route.
        members.dedup();
        if let Some(&id) = self.ids.get(&members) {
            return id;
        }
        let id = u32::try_from(self.groups.len()).expect("a file holds fewer than 2^32 hosts");
        self.groups.push(self.group(&members));
        self.ids.insert(members, id);
        id
    }

    fn group(&self, members: &[u32]) -> Group {
        let path_of = |&index: &u32| self.routes[index as usize].matches.path.as_ref();
        Group {
            paths: PathIndex::new(members.iter().filter_map(|index| Some((path_of(index)?, *index)))),
            rest: members
                .iter()
                .filter(|index| match path_of(index) {
                    None | Some(PathMatch::Regex(_)) => true,
                    Some(PathMatch::Exact(_) | PathMatch::Prefix(_)) => false,
                })
                .copied()
                .collect(),
        }
    }
}
