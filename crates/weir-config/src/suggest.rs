//! "Did you mean": the known word nearest to a mistyped one.

/// The longest word that is looked for, in characters.
const CHARS_MAX: usize = 64;
/// The most candidates that are compared.
const CANDIDATES_MAX: usize = 2000;

/// The candidate nearest to `word`, if one is near enough to have been meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > CHARS_MAX {
        return None;
    }
    // A third of the word may be wrong: `wbe` is two steps from `web`, or one with neighbours swapped.
    let most = length.div_ceil(3).min(3);
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= most)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= most)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters have to be inserted, removed, replaced or swapped with their neighbour to make `b`
/// of `a` (the optimal string alignment distance), whatever their case.
fn distance(a: &str, b: &str) -> usize {
    let lower = |text: &str| text.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (a, b) = (lower(a), lower(b));
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut steps = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                steps = steps.min(before_last[j - 1] + 1);
            }
            row.push(steps);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(nearest("wbe", ["api", "web"]), Some("web"));
        assert_eq!(nearest("serverz", ["server", "servers"]), Some("server"));
        assert_eq!(nearest("round-robin", ["random_two", "round_robin"]), Some("round_robin"));
        assert_eq!(nearest("Weight", ["weight"]), Some("weight"));
        assert_eq!(nearest("zzz", ["api", "web"]), None);
        assert_eq!(nearest("", ["api"]), None);
    }
}
