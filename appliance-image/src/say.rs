//! What the program tells while it works: lines on standard error. Results are files.

use std::fmt::Arguments;
use std::io::Write as _;

/// One line; a standard error that nobody reads any more is no reason to stop.
pub(crate) fn line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Bytes as people read them: `12.0 MiB`, `4.1 KiB`.
pub(crate) fn size(bytes: u64) -> String {
    let in_kib = bytes as f64 / 1024.0;
    if in_kib < 1024.0 { format!("{in_kib:.1} KiB") } else { format!("{:.1} MiB", in_kib / 1024.0) }
}
