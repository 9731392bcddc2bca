//! What the boot loader told the kernel to tell us: the slot, and whether it is the one that was planned.

use serde::Serialize;

/// One of the two system slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Slot {
    A,
    B,
}

impl Slot {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "A" => Some(Self::A),
            "B" => Some(Self::B),
            _ => None,
        }
    }
}

/// Why this slot runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fallback {
    /// As planned.
    #[default]
    None,
    /// The new slot used up its tries; the good one was booted.
    TriesUsedUp,
    /// The chosen slot could not be loaded; the other was booted in the same start.
    NotLoadable,
}

impl Fallback {
    /// As the status file has it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::TriesUsedUp => 1,
            Self::NotLoadable => 2,
        }
    }
}

/// What of the kernel's command line is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CommandLine {
    /// None: started without our boot loader, a kernel and an initramfs by themselves.
    pub(crate) slot: Option<Slot>,
    pub(crate) fallback: Fallback,
}

impl CommandLine {
    pub(crate) fn read() -> Self {
        Self::parse(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut line = Self::default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(("weir.slot", name)) => line.slot = Slot::from_name(name),
                Some(("weir.fallback", "1")) => line.fallback = Fallback::TriesUsedUp,
                Some(("weir.fallback", "2")) => line.fallback = Fallback::NotLoadable,
                Some(_) | None => {}
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_boot_loader_writes() {
        let line = CommandLine::parse("console=ttyS0 weir.slot=B weir.fallback=1 panic=10\n");
        assert_eq!(line, CommandLine { slot: Some(Slot::B), fallback: Fallback::TriesUsedUp });
        assert_eq!(line.fallback.number(), 1);
    }

    #[test]
    fn a_kernel_started_by_itself_has_no_slot() {
        assert_eq!(CommandLine::parse("console=hvc0 weir.slot=C weir.fallback=0"), CommandLine::default());
    }
}
