//! A worker's end of the access log: formats lines into a buffer of its own and hands full ones over.
//!
//! Invariant: a worker's lines that are not written yet, here or on their way, are `access_buffer_bytes`
//! at most; a line beyond is dropped and counted. Nothing here waits, locks or makes a system call.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use weir_config::model::AccessLogFormat;

use super::Record;
use super::timestamp::Timestamp;
use super::{common, json};

/// A buffer with this many bytes is handed over at once.
const BUFFER_BYTES: usize = 32 << 10;

/// What every sink must know; written at a reload only.
#[derive(Debug, Default)]
pub(super) struct Settings {
    is_on: AtomicBool,
    is_json: AtomicBool,
    buffer_bytes: AtomicUsize,
}

impl Settings {
    pub(super) fn set(&self, is_on: bool, format: AccessLogFormat, buffer_bytes: usize) {
        self.is_on.store(is_on, Relaxed);
        self.is_json.store(format == AccessLogFormat::Json, Relaxed);
        self.buffer_bytes.store(buffer_bytes, Relaxed);
    }
}

/// One sink's numbers, on cache lines of their own: the worker counts every line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct SinkCounters {
    /// Bytes handed over and not written yet.
    pub(super) bytes_under_way: AtomicUsize,
    /// Lines accepted.
    pub(super) lines: AtomicU64,
    /// Lines dropped.
    pub(super) dropped: AtomicU64,
}

/// What goes to the writer's thread.
#[derive(Debug)]
pub(super) enum Message {
    /// A buffer of whole lines.
    Filled(Filled),
    /// Nothing to write, but there are new orders.
    Wake,
}

/// A buffer of whole lines, and whose it is.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) sink: usize,
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
}

/// A worker's end of the access log. Made by [`Writer::start`](super::Writer::start), one for each worker,
/// and moved into its thread. When it is dropped, its last lines are handed over.
pub struct Sink {
    index: usize,
    settings: Arc<Settings>,
    counters: Arc<SinkCounters>,
    full: SyncSender<Message>,
    empty: Receiver<Vec<u8>>,
    text: Cell<Vec<u8>>,
    /// Lines in `text`.
    lines: Cell<u64>,
    stamp: Cell<Timestamp>,
}

impl Sink {
    pub(super) fn new(
        index: usize,
        settings: Arc<Settings>,
        counters: Arc<SinkCounters>,
        full: SyncSender<Message>,
        empty: Receiver<Vec<u8>>,
    ) -> Self {
        let (text, lines, stamp) = Default::default();
        Self { index, settings, counters, full, empty, text, lines, stamp }
    }

    /// Whether lines go anywhere at all; a record need not be put together if not.
    pub fn is_on(&self) -> bool {
        self.settings.is_on.load(Relaxed)
    }

    /// Logs one exchange, or drops and counts it when the writer is too far behind.
    pub fn log(&self, record: &Record<'_>) {
        if !self.is_on() {
            return;
        }
        let (mut text, mut stamp) = (self.text.take(), self.stamp.get());
        let before = text.len();
        if self.settings.is_json.load(Relaxed) {
            json::write(record, &mut stamp, &mut text);
        } else {
            common::write(record, &mut stamp, &mut text);
        }
        let most = self.settings.buffer_bytes.load(Relaxed);
        let held = text.len() + self.counters.bytes_under_way.load(Relaxed);
        if held > most {
            text.truncate(before);
            add(&self.counters.dropped, 1);
        } else {
            add(&self.counters.lines, 1);
            self.lines.set(self.lines.get() + 1);
        }
        let is_due = text.len() >= BUFFER_BYTES.min(most / 2);
        self.text.set(text);
        self.stamp.set(stamp);
        if is_due {
            self.flush();
        }
    }

    /// Hands over what there is, if the writer has room for it; to be called about every 100 ms.
    pub fn flush(&self) {
        let (text, lines) = (self.text.take(), self.lines.take());
        if text.is_empty() {
            self.text.set(text);
            return;
        }
        let bytes = text.len();
        self.counters.bytes_under_way.fetch_add(bytes, Relaxed);
        match self.full.try_send(Message::Filled(Filled { sink: self.index, text, lines })) {
            Ok(()) => self.text.set(self.empty.try_recv().unwrap_or_default()),
            Err(refused) => {
                self.counters.bytes_under_way.fetch_sub(bytes, Relaxed);
                self.take_back(refused);
            }
        }
    }

    fn take_back(&self, refused: TrySendError<Message>) {
        match refused {
            TrySendError::Full(Message::Filled(filled)) => {
                self.text.set(filled.text);
                self.lines.set(filled.lines);
            }
            // The writer is finished: these lines came too late.
            TrySendError::Disconnected(Message::Filled(filled)) => add(&self.counters.dropped, filled.lines),
            TrySendError::Full(Message::Wake) | TrySendError::Disconnected(Message::Wake) => {}
        }
    }
}

/// How long a worker that ends waits for a writer that is behind.
const LAST_FLUSH: Duration = Duration::from_millis(500);

impl Drop for Sink {
    /// The worker has no traffic any more, so its last lines may wait a little.
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST_FLUSH;
        self.flush();
        while self.lines.get() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
            self.flush();
        }
        add(&self.counters.dropped, self.lines.get());
    }
}

/// Adds to a counter that only this thread writes: no locked instruction.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed) + count, Relaxed);
}

#[cfg(test)]
impl Sink {
    /// Whether every line was handed over.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.get() == 0
    }
}
