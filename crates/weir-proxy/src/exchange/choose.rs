//! A place at a server, for whatever is to be sent there: a request or a connection.

use std::rc::Rc;

use super::failure::Failure;
use crate::balancer::PickKey;
use crate::session::watchdog::{Wait, Watchdog};
use crate::worker::local::{Lease, LocalPool};

/// Takes a place at a server, waiting for one if need be, which sets `waited`.
///
/// # Errors
/// When there is no server that could have room, or it had none in time.
pub(crate) async fn choose(
    watchdog: &Watchdog,
    pool: &Rc<LocalPool>,
    key: &PickKey<'_>,
    tried: &[usize],
    waited: &mut bool,
) -> Result<(usize, Lease), Failure> {
    let status = &pool.pool.status;
    if status.queue.length() == 0
        && let Some(found) = pool.pick(key, tried)
    {
        return Ok(found);
    }
    // A pool smaller than the number of attempts: better the same server again than none.
    if !tried.is_empty()
        && let Some(found) = pool.pick(key, &[])
    {
        return Ok(found);
    }
    if !pool.has_usable_server() {
        pool.counters().unavailable.add(1);
        return Err(Failure::LocalNoServer);
    }
    let config = &pool.pool.config;
    let Some(place) = status.queue.enter(config.limits.queue) else {
        pool.counters().queue_full.add(1);
        return Err(Failure::LocalQueueFull);
    };
    pool.counters().queued.add(1);
    let room = place.wait_for(|| pool.pick(key, &[]));
    let found = Box::pin(watchdog.within(Wait::Queue, config.timeouts.queue, room)).await;
    *waited = true;
    found.map_err(|_| {
        pool.counters().queue_timeouts.add(1);
        Failure::LocalQueueTimeout
    })
}
