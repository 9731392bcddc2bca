//! How big a server's part of its pool's exchanges is: a pure function of what is known about it.

use std::time::Duration;

/// One weight in shares.
pub(super) const SHARES_PER_WEIGHT: u32 = 256;

/// A server that comes up begins with this part of its share, in 1/256, and grows to all of it.
const SLOW_START_FIRST: u32 = 26;

/// What decides a server's share, apart from the other servers of its pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) weight: u16,
    /// Healthy, wanted, not ejected, and with an address.
    pub(super) usable: bool,
    pub(super) backup: bool,
    /// For how long it has been up again; `None` when it always was.
    pub(super) up_for: Option<Duration>,
}

/// The shares of a pool's servers, in 1/256 of a weight: backups have one only while nobody else has.
pub(super) fn shares(servers: &[Standing], slow_start: Duration) -> Vec<u32> {
    let takes = |server: &Standing| server.usable && server.weight > 0;
    let primaries = servers.iter().any(|server| takes(server) && !server.backup);
    servers
        .iter()
        .map(|server| {
            if !takes(server) || (server.backup && primaries) {
                return 0;
            }
            let whole = u32::from(server.weight) * SHARES_PER_WEIGHT;
            (whole / 256 * ramp(server.up_for, slow_start)).max(1)
        })
        .collect()
}

/// Whether a server's share still grows.
pub(super) fn is_ramping(up_for: Option<Duration>, slow_start: Duration) -> bool {
    up_for.is_some_and(|up_for| up_for < slow_start)
}

/// The part of its share that a server has, in 1/256.
fn ramp(up_for: Option<Duration>, slow_start: Duration) -> u32 {
    let Some(up_for) = up_for.filter(|up_for| *up_for < slow_start) else { return 256 };
    let part = up_for.as_secs_f64() / slow_start.as_secs_f64();
    SLOW_START_FIRST + ((256 - SLOW_START_FIRST) as f64 * part) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Standing = Standing { weight: 1, usable: true, backup: false, up_for: None };
    const BACKUP: Standing = Standing { backup: true, ..READY };
    const DOWN: Standing = Standing { usable: false, ..READY };

    #[test]
    fn backups_take_over_only_when_nobody_else_can() {
        let none = Duration::ZERO;
        assert_eq!(shares(&[READY, DOWN, BACKUP], none), [256, 0, 0]);
        assert_eq!(shares(&[DOWN, DOWN, BACKUP], none), [0, 0, 256]);
        assert_eq!(shares(&[Standing { weight: 0, ..READY }, BACKUP], none), [0, 256]);
        assert_eq!(shares(&[DOWN, Standing { usable: false, ..BACKUP }], none), [0, 0]);
    }

    #[test]
    fn a_server_that_comes_up_grows_into_its_share() {
        let slow_start = Duration::from_secs(10);
        let after = |seconds| {
            let up_for = Some(Duration::from_secs(seconds));
            shares(&[Standing { weight: 4, up_for, ..READY }], slow_start)[0]
        };
        assert!(after(0) > 0 && after(0) < 4 * 256 / 8);
        assert!(after(0) < after(5) && after(5) < after(9) && after(9) < 1024);
        assert_eq!(after(10), 1024);
        assert!(!is_ramping(None, slow_start));
    }
}
