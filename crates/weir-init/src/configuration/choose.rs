//! Which configuration the appliance comes up with: the one it has, or the one of the first-boot data. Pure.
//!
//! First-boot data counts once for each instance: when it was taken, its instance's id is kept, and from then on the
//! configuration is the operator's, whether the data is still there or not. Another id (a clone) makes it count again.

/// What the appliance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// No configuration.
    Nothing,
    /// The one that it was made with.
    Default,
    /// One that somebody gave it.
    Given,
}

/// What it comes up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// What it has.
    Stored,
    /// The first-boot data.
    Seed,
    /// What it is made with.
    Default,
}

/// `taken_for`: the instance whose first-boot data was taken. `found`: the instance that the data that was found now is
/// for; None where there is none.
pub(crate) fn choose(stored: Stored, taken_for: Option<&str>, found: Option<&str>) -> Choice {
    match (stored, taken_for, found) {
        (Stored::Nothing, _, Some(_)) => Choice::Seed,
        (Stored::Nothing, _, None) => Choice::Default,
        (Stored::Default | Stored::Given, _, None) => Choice::Stored,
        (Stored::Default | Stored::Given, Some(taken_for), Some(found)) if taken_for == found => {
            Choice::Stored
        }
        (Stored::Default | Stored::Given, Some(_), Some(_)) => Choice::Seed,
        // The data was refused before, or came late.
        (Stored::Default, None, Some(_)) => Choice::Seed,
        // An operator was first.
        (Stored::Given, None, Some(_)) => Choice::Stored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_counts_once_for_each_instance() {
        assert_eq!(choose(Stored::Nothing, None, Some("i-1")), Choice::Seed);
        assert_eq!(choose(Stored::Given, Some("i-1"), Some("i-1")), Choice::Stored);
        assert_eq!(choose(Stored::Given, Some("i-1"), Some("i-2")), Choice::Seed);
        assert_eq!(choose(Stored::Nothing, Some("i-1"), Some("i-1")), Choice::Seed, "STATE was made anew");
    }

    #[test]
    fn without_data_the_appliance_keeps_what_it_has() {
        assert_eq!(choose(Stored::Nothing, None, None), Choice::Default);
        assert_eq!(choose(Stored::Default, None, None), Choice::Stored);
        assert_eq!(choose(Stored::Given, Some("i-1"), None), Choice::Stored);
    }

    #[test]
    fn data_that_comes_late_replaces_the_default_and_nothing_else() {
        assert_eq!(choose(Stored::Default, None, Some("i-1")), Choice::Seed);
        assert_eq!(choose(Stored::Given, None, Some("i-1")), Choice::Stored);
    }
}
