//! Network cards by kind: made for a hypervisor, an imitation of a real one, or a piece of a real one.

/// What a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CardKind {
    /// Made for a hypervisor: guest and host speak through shared memory.
    Paravirtual,
    /// An imitation of a real card, each access to whose registers costs a change to the host.
    Emulated,
    /// A real card, or a part of one.
    Real,
}

impl CardKind {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Paravirtual => "paravirtual",
            Self::Emulated => "emulated",
            Self::Real => "a real card",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownCard {
    /// What hypervisors and Linux call it.
    pub(crate) names: &'static [&'static str],
    pub(crate) kind: CardKind,
}

const CARDS: &[KnownCard] = &[
    KnownCard {
        names: &["virtio", "virtio_net", "virtio-net", "virtio-net-pci"],
        kind: CardKind::Paravirtual,
    },
    KnownCard { names: &["vmxnet3", "vmxnet2", "vmxnet"], kind: CardKind::Paravirtual },
    KnownCard { names: &["xen-netfront", "xen_netfront", "xen", "vif"], kind: CardKind::Paravirtual },
    KnownCard { names: &["hv_netvsc", "netvsc"], kind: CardKind::Paravirtual },
    KnownCard { names: &["gve", "gvnic"], kind: CardKind::Paravirtual },
    KnownCard { names: &["e1000", "e1000-82545em"], kind: CardKind::Emulated },
    KnownCard { names: &["e1000e"], kind: CardKind::Emulated },
    KnownCard { names: &["rtl8139", "8139cp", "8139too"], kind: CardKind::Emulated },
    KnownCard { names: &["tulip"], kind: CardKind::Emulated },
    KnownCard { names: &["pcnet", "pcnet32", "vlance", "flexible"], kind: CardKind::Emulated },
    KnownCard { names: &["ne2k_pci", "ne2k-pci"], kind: CardKind::Emulated },
    KnownCard { names: &["e100", "i82557b", "i82559er"], kind: CardKind::Emulated },
    // Hypervisors imitate it, and no server has it any more for which one would measure.
    KnownCard { names: &["igb"], kind: CardKind::Emulated },
    KnownCard { names: &["ena"], kind: CardKind::Real },
    KnownCard { names: &["mana"], kind: CardKind::Real },
    KnownCard { names: &["mlx4_en", "mlx4_core", "mlx5_core"], kind: CardKind::Real },
    KnownCard {
        names: &["ixgbevf", "iavf", "igbvf", "ixgbe", "i40e", "ice", "r8169", "tg3"],
        kind: CardKind::Real,
    },
];

/// The card that is called so.
pub(crate) fn find(name: &str) -> Option<&'static KnownCard> {
    let name = name.to_ascii_lowercase();
    CARDS.iter().find(|card| card.names.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_for_one_card() {
        let mut names: Vec<&str> = CARDS.iter().flat_map(|card| card.names).copied().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(find("VMXNET3").map(|card| card.kind), Some(CardKind::Paravirtual));
        assert_eq!(find("8139cp").map(|card| card.kind), Some(CardKind::Emulated));
        assert!(find("veth").is_none());
    }
}
