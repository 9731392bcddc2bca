//! The kernel's settings of each card, as one table with a reason for each row. Those of the whole machine are not here.

use super::kernel;

/// What a card's settings depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// IPv6 at all: not for a card without SLAAC and without a static IPv6 address.
    pub(super) ipv6: bool,
    /// Router advertisements give addresses and routes.
    pub(super) slaac: bool,
    /// Of this card's default routes among those of the others; smaller goes first.
    pub(super) metric: u32,
}

/// IPv6 routes of advertisements have 1024 in Linux; a static one shall go first, so they stay behind all of ours.
const ADVERTISED_METRIC: u32 = 1024;

struct Row {
    family: &'static str,
    key: &'static str,
    value: fn(Wanted) -> String,
    /// Missing in some kernels, which then do without.
    optional: bool,
}

const fn row(family: &'static str, key: &'static str, value: fn(Wanted) -> String) -> Row {
    Row { family, key, value, optional: false }
}

/// In the order in which they are set: IPv6 is switched on last, as that sends the first question to routers.
const TABLE: &[Row] = &[
    // Neighbours learn at once that an address has moved to this machine: a clone, a new card.
    row("ipv4", "arp_notify", |_| "1".into()),
    // Two cards in one network: each answers for its own addresses, and says which they are.
    row("ipv4", "arp_ignore", |_| "1".into()),
    row("ipv4", "arp_announce", |_| "2".into()),
    // An address that goes does not take the others of its network along.
    row("ipv4", "promote_secondaries", |_| "1".into()),
    // With several cards a packet may come in where the main table would not send its answer; rules see to that one.
    row("ipv4", "rp_filter", |_| "0".into()),
    // A router on the way does not rewrite our routes.
    row("ipv4", "accept_redirects", |_| "0".into()),
    row("ipv6", "accept_redirects", |_| "0".into()),
    row("ipv6", "ndisc_notify", |_| "1".into()),
    row("ipv6", "accept_ra", |wanted| on(wanted.slaac)),
    row("ipv6", "autoconf", |wanted| on(wanted.slaac)),
    Row {
        optional: true,
        ..row("ipv6", "ra_defrtr_metric", |wanted| (ADVERTISED_METRIC + wanted.metric).to_string())
    },
    row("ipv6", "disable_ipv6", |wanted| on(!wanted.ipv6)),
];

fn on(yes: bool) -> String {
    u8::from(yes).to_string()
}

/// Sets them all for `card`, as far as they go. What can't be set is said and does without: a kernel without IPv6 has
/// none of its settings.
pub(super) fn set(card: &str, wanted: Wanted) {
    for row in TABLE {
        let value = (row.value)(wanted);
        match kernel::set(row.family, card, row.key, &value) {
            Ok(_) => {}
            Err(error) if row.optional || error.kind() == std::io::ErrorKind::NotFound => {
                tracing::debug!(card, key = row.key, %error, "the kernel has no such setting");
            }
            Err(error) => tracing::warn!(card, key = row.key, value, %error, "the setting can't be made"),
        }
    }
}
