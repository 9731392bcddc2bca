//! The time of day as `Date` has it, formatted once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

/// The last second that was asked for.
#[derive(Default)]
pub(crate) struct DateCache(RefCell<(u64, String)>);

impl DateCache {
    /// Appends an IMF-fixdate (RFC 9110 section 5.6.7).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (cached, text) = &mut *self.0.borrow_mut();
        if *cached != second {
            *cached = second;
            *text = httpdate::fmt_http_date(now);
        }
        out.extend_from_slice(text.as_bytes());
    }
}
