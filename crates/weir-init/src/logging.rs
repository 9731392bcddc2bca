//! What the threads report by `tracing`: warnings and errors on the consoles, the rest in the kernel's log alone.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::console;

/// Starts it.
pub(crate) fn start() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(Consoles)
        .with_max_level(Level::INFO)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    let _ = subscriber.try_init();
}

struct Consoles;

/// One event's text, said whole when it is complete.
struct Line {
    text: Vec<u8>,
    aloud: bool,
}

impl<'a> MakeWriter<'a> for Consoles {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { text: Vec::new(), aloud: false }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Line {
        Line { text: Vec::new(), aloud: *about.level() <= Level::WARN }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        if self.aloud { console::say(&text) } else { console::note(&text) }
    }
}
