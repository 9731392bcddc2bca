//! What others call their network cards, as a Weir file can: of the characters that a name there may have, and no name
//! twice. Pure.

use std::collections::HashSet;

use weir_config::model::Interface;

/// The longest name that a file takes, less room for a number.
const CHARS_MAX: usize = 120;

/// Makes every name one that a file can have.
pub(super) fn settle(interfaces: &mut [Interface]) {
    let mut taken = HashSet::new();
    for interface in interfaces {
        let name = fitting(&interface.name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
        interface.name = free.unwrap_or(name).into();
    }
}

fn fitting(name: &str) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || "._:-".contains(character);
    let name: String = name.chars().take(CHARS_MAX).map(|c| if fits(c) { c } else { '-' }).collect();
    if name.is_empty() { "card".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use weir_config::model::InterfaceMatch;

    use super::super::network_config::interface;
    use super::*;

    #[test]
    fn names_are_made_to_fit_and_unique() {
        let mut interfaces =
            ["eth0", "a b/c", "eth0", "", "eth0"].map(|name| interface(name, InterfaceMatch::default()));
        settle(&mut interfaces);
        assert_eq!(
            interfaces.map(|interface| interface.name.to_string()),
            ["eth0", "a-b-c", "eth0-2", "card", "eth0-3"]
        );
    }
}
