//! Waiting for a condition, until a deadline that an emulated machine meets.

use std::time::{Duration, Instant};

/// How long anything may take that is expected to happen: a start under UEFI takes 20 s on an idle core, and there
/// may be ten times as much to do here.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until `look` finds something.
///
/// # Panics
/// When it doesn't within [`PATIENCE`]; `what` says what was waited for.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Waits until `holds` does.
///
/// # Panics
/// When it doesn't within [`PATIENCE`]; `what` says what was waited for.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || holds().then_some(()));
}
