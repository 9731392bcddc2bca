//! The sessions of one worker by their listener, so that a removed listener's can be ended in time. A listener
//! that speaks another protocol now counts as removed.
//!
//! Sessions end by themselves with their exchange once their listener is gone; an exchange or a tunnel that
//! goes on for longer than `timeouts.drain` is cut here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::AbortHandle;
use weir_config::model::{Listener, Name, Protocol};

use super::local::Local;

/// The sessions of one worker.
#[derive(Default)]
pub(crate) struct Sessions(RefCell<HashMap<(Name, Protocol), Vec<AbortHandle>>>);

impl Sessions {
    /// Handles of ended sessions are swept out when there are more handles than this, and twice as many as
    /// after the last sweep.
    const SWEEP_MIN: usize = 64;

    /// Notes a session that has begun.
    pub(super) fn add(&self, listener: &Listener, session: AbortHandle) {
        let mut all = self.0.borrow_mut();
        let sessions = all.entry((listener.name.clone(), listener.protocol)).or_default();
        if sessions.len() >= Self::SWEEP_MIN && sessions.len() == sessions.capacity() {
            sessions.retain(|session| !session.is_finished());
            sessions.reserve(sessions.len());
        }
        sessions.push(session);
    }

    /// Ends what is left of the sessions of listeners that the configuration no longer has, after `bound`.
    pub(super) fn cut_removed(local: &Rc<Local>, bound: Duration) {
        let view = local.view();
        let is_gone = |(name, protocol): &(Name, Protocol)| {
            view.listener(name).is_none_or(|listener| listener.listener.config.protocol != *protocol)
        };
        let gone: Vec<_> =
            local.sessions.0.borrow().keys().filter(|listener| is_gone(listener)).cloned().collect();
        for listener in gone {
            let Some(sessions) = local.sessions.0.borrow_mut().remove(&listener) else { continue };
            tokio::task::spawn_local(async move {
                tokio::time::sleep(bound).await;
                for session in sessions {
                    session.abort();
                }
            });
        }
    }
}
