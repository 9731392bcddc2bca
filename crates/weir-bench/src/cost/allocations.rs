//! Allocations, by their calls.

use std::collections::BTreeMap;

use super::profile::Profile;

/// How often memory was asked for, grown and given back, for a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Allocations {
    /// New pieces.
    pub allocated: f64,
    /// Pieces made larger or smaller.
    pub reallocated: f64,
    /// Pieces given back.
    pub freed: f64,
    /// Who asked for new pieces and other sizes.
    pub by_caller: BTreeMap<String, f64>,
}

impl Allocations {
    /// Those of a profile: calls of the allocator by anybody but itself.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        let mut all = Self::default();
        for ((caller, called), &calls) in &profile.calls {
            let (Some(kind), None) = (Kind::of(called), Kind::of(caller)) else { continue };
            if is_allocators(caller) {
                continue;
            }
            match kind {
                Kind::Allocate => all.allocated += calls,
                Kind::Reallocate => all.reallocated += calls,
                Kind::Free => all.freed += calls,
            }
            if kind != Kind::Free {
                *all.by_caller.entry(caller.clone()).or_default() += calls;
            }
        }
        all
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Allocate,
    Reallocate,
    Free,
}

impl Kind {
    /// What a function of the allocator, or of the C library's, does.
    fn of(function: &str) -> Option<Self> {
        let name = function.strip_prefix("mi_").unwrap_or(function);
        Some(match name {
            "malloc" | "malloc_aligned" | "zalloc" | "zalloc_aligned" | "calloc" | "calloc_aligned" => {
                Self::Allocate
            }
            "realloc" | "realloc_aligned" | "rezalloc" | "rezalloc_aligned" => Self::Reallocate,
            "free" | "free_size" | "free_size_aligned" | "free_aligned" => Self::Free,
            _ => return None,
        })
    }
}

/// Whether the allocator itself is at work.
fn is_allocators(function: &str) -> bool {
    function.starts_with("mi_") || function.starts_with("_mi_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocators_own_calls_are_not_counted() {
        let calls = [
            (("serve", "mi_malloc_aligned"), 2.0),
            (("serve", "mi_free"), 3.0),
            (("grow", "mi_realloc_aligned"), 1.0),
            (("mi_realloc_aligned", "mi_malloc"), 1.0),
            (("_mi_theap_realloc_zero", "mi_free"), 1.0),
            (("serve", "memcpy"), 9.0),
        ];
        let calls = calls.map(|((caller, called), count)| ((caller.into(), called.into()), count));
        let found = Allocations::of(&Profile { calls: calls.into(), ..Profile::default() });
        let by_caller = BTreeMap::from([("grow".to_owned(), 1.0), ("serve".to_owned(), 2.0)]);
        assert_eq!(found, Allocations { allocated: 2.0, reallocated: 1.0, freed: 3.0, by_caller });
    }
}
