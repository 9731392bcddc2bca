//! `modules.alias`: which module drives which device. A device says what it is (`pci:v00001AF4d00001000sv…`), a module what
//! it drives, with `*`, `?` and `[…]` of fnmatch(3).

use std::collections::HashMap;

/// Patterns and their modules, apart by the bus that both begin with, as nearly all of them have one.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    by_bus: HashMap<Box<str>, Vec<Alias>>,
}

/// No device's bus.
const ANY: &str = "*";

#[derive(Debug)]
struct Alias {
    pattern: Box<str>,
    module: Box<str>,
}

impl Aliases {
    /// Reads `modules.alias`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut aliases = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if let (Some("alias"), Some(pattern), Some(module)) = (words.next(), words.next(), words.next()) {
                let alias = Alias { pattern: pattern.into(), module: super::canonical(module).into() };
                // A star in the name of the bus (`acpi*:VMBUS:*`) may mean any.
                let bus = Some(bus(pattern)).filter(|bus| !bus.contains(['*', '?', '['])).unwrap_or(ANY);
                match aliases.by_bus.get_mut(bus) {
                    Some(list) => list.push(alias),
                    None => drop(aliases.by_bus.insert(bus.into(), vec![alias])),
                }
            }
        }
        aliases
    }

    /// The modules for a device, in the file's order, each once.
    pub(crate) fn modules_for(&self, modalias: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let lists = [bus(modalias), ANY].map(|bus| self.by_bus.get(bus));
        for alias in lists.into_iter().flatten().flatten() {
            if !found.contains(&&*alias.module) && matches(alias.pattern.as_bytes(), modalias.as_bytes()) {
                found.push(&alias.module);
            }
        }
        found
    }
}

/// What stands before the first colon; for names like `fs-ext4`, all of it.
fn bus(text: &str) -> &str {
    text.split_once(':').map_or(text, |(bus, _)| bus)
}

/// fnmatch(3) without flags, in time `pattern` x `text`: a star is tried again only from the last one seen.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'[') => in_set(&pattern[p..], text[t]),
            Some(b'?') => Some(1),
            Some(&byte) => (byte == text[t]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => (p, t) = (p + length, t + 1),
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// `[0-9A-F]` or `[!…]` at the front of `pattern`: its length where `byte` is in it.
fn in_set(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|&b| b == b']')? + 2;
    let (negated, set) = match pattern.get(1) {
        Some(b'!') => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut held = false;
    let mut rest = set;
    while let [first, tail @ ..] = rest {
        (held, rest) = match tail {
            [b'-', last, more @ ..] => (held || (*first..=*last).contains(&byte), more),
            _ => (held || *first == byte, tail),
        };
    }
    (held != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Aliases extracted from modules themselves.\n\
        alias pci:v000015ADd000007B0sv*sd*bc*sc*i* vmxnet3\n\
        alias virtio:d00000001v* virtio_net\n\
        alias pci:v000010ECd00008139sv*sd*bc*sc*i* 8139cp\n\
        alias pci:v000010ECd00008139sv*sd*bc*sc*i* 8139too\n\
        alias pci:v000010ECd00008139sv*sd*bc*sc*i* 8139too\n\
        alias fs-ext4 ext4\n\
        alias acpi*:VMBUS:* hv-vmbus\n";

    #[test]
    fn finds_each_module_once_in_the_order_of_the_file() {
        let aliases = Aliases::parse(FILE);
        let card = "pci:v000010ECd00008139sv00001AF4sd00001100bc02sc00i00";
        assert_eq!(aliases.modules_for(card), ["8139cp", "8139too"]);
        assert_eq!(aliases.modules_for("virtio:d00000001v00001AF4"), ["virtio_net"]);
        assert_eq!(aliases.modules_for("fs-ext4"), ["ext4"]);
        assert!(aliases.modules_for("pci:v00008086d0000100Esv0sd0bc02sc00i00").is_empty());
    }

    #[test]
    fn a_star_in_the_name_of_the_bus_is_one_too() {
        assert_eq!(Aliases::parse(FILE).modules_for("acpi:VMBUS:"), ["hv_vmbus"]);
    }

    #[test]
    fn matches_as_fnmatch_does() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*ab", "aab", true),
            ("a*b*c", "aXbYbZc", true),
            ("bc[0-9A-F]x", "bcDx", true),
            ("bc[!0-9]x", "bc1x", false),
            ("bc[!0-9]x", "bcax", true),
            ("[]]", "]", true),
            ("[a", "a", false),
            ("abc", "ab", false),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!matches("*a".repeat(40).as_bytes(), "a".repeat(39).as_bytes()));
        assert!(!matches(format!("{}b", "*a".repeat(200)).as_bytes(), "a".repeat(5000).as_bytes()));
    }
}
