//! Routes by path: exact paths and prefixes of one group, sorted, each knowing the longest other one that it
//! begins with.
//!
//! Every text that a path begins with sorts before that path, and is also a beginning of whatever text lies
//! between the two. So the last text that does not sort after the path is where all of them are found, by
//! following those links: one binary search, then as many steps as texts are nested in each other in the
//! file. No step depends on how many slashes a client sends.

use std::collections::BTreeMap;

use weir_config::model::PathMatch;

/// Exact paths and prefixes.
#[derive(Debug)]
pub(super) struct PathIndex {
    /// Sorted by text.
    entries: Box<[Entry]>,
}

/// One text of the file, with the routes that have it as their path, in file order.
#[derive(Debug)]
struct Entry {
    text: Box<str>,
    /// The longest other text that this one begins with.
    within: Option<u32>,
    exact: Box<[u32]>,
    prefix: Box<[u32]>,
}

impl PathIndex {
    /// Indexes routes in file order; expressions are passed over.
    pub(super) fn new<'a>(routes: impl Iterator<Item = (&'a PathMatch, u32)>) -> Self {
        let mut texts: BTreeMap<&str, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
        for (path, route) in routes {
            match path {
                PathMatch::Exact(text) => texts.entry(text).or_default().0.push(route),
                PathMatch::Prefix(text) => texts.entry(text).or_default().1.push(route),
                PathMatch::Regex(_) => {}
            }
        }
        // The texts that the one at hand may begin with: each begins with the one below it.
        let mut open: Vec<(&str, u32)> = Vec::new();
        let entries = texts.into_iter().zip(0_u32..).map(|((text, (exact, prefix)), at)| {
            while open.last().is_some_and(|(outer, _)| !text.starts_with(outer)) {
                open.pop();
            }
            let within = open.last().map(|&(_, outer)| outer);
            open.push((text, at));
            Entry { text: text.into(), within, exact: exact.into(), prefix: prefix.into() }
        });
        Self { entries: entries.collect() }
    }

    /// The routes whose path is this one or a prefix of it: lists, each in file order.
    pub(super) fn lists<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a [u32]> {
        let mut next = self
            .entries
            .partition_point(|entry| *entry.text <= *path)
            .checked_sub(1)
            .and_then(|at| self.entries.get(at));
        std::iter::from_fn(move || {
            let entry = next?;
            next = entry.within.and_then(|at| self.entries.get(at as usize));
            Some(entry.lists(path))
        })
        .flatten()
    }
}

impl Entry {
    fn lists(&self, path: &str) -> [&[u32]; 2] {
        let Some(after) = path.strip_prefix(&*self.text) else { return [&[], &[]] };
        let exact: &[u32] = if after.is_empty() { &self.exact } else { &[] };
        // The boundary that `PathMatch::Prefix` documents.
        let whole_segment = after.is_empty() || after.starts_with('/') || self.text.ends_with('/');
        [exact, if whole_segment { &self.prefix } else { &[] }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(texts: &[&str], path: &str) -> Vec<u32> {
        let matches: Vec<_> = texts.iter().map(|text| PathMatch::Prefix((*text).into())).collect();
        let index = PathIndex::new(matches.iter().zip(0..));
        let mut found: Vec<_> = index.lists(path).flatten().copied().collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn prefixes_end_where_a_segment_ends() {
        for (text, path, holds) in [
            ("/v1", "/v1", true),
            ("/v1", "/v1/x", true),
            ("/v1", "/v1x", false),
            ("/v1/", "/v1/x", true),
            ("/v1/", "/v1/", true),
            ("/v1/", "/v1", false),
            ("/", "/", true),
            ("/", "/anything", true),
            ("/", "*", false),
        ] {
            assert_eq!(found(&[text], path).len(), usize::from(holds), "{text} {path}");
        }
    }

    #[test]
    fn nested_prefixes_are_found_through_a_longer_neighbour() {
        let texts = ["/a", "/a/b", "/a/b/c", "/a/", "/a/ba", "/b", "/a/b/c/d"];
        assert_eq!(found(&texts, "/a/b/d"), [0, 1, 3]);
        assert_eq!(found(&texts, "/a/b/c"), [0, 1, 2, 3]);
        assert_eq!(found(&texts, "/ab"), [0; 0]);
        assert_eq!(found(&texts, "/"), [0; 0]);
    }
}
