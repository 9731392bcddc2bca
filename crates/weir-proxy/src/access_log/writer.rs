//! The one thread that writes the access log, and the handle through which it is told what to do.
//!
//! Buffers come from all sinks through one bounded channel, so a worker's lines keep their order. Orders
//! (another output, the end) lie in a slot beside the channel: they are never refused, and whoever gives
//! one never waits, even while the thread is stuck in a write to a pipe that nobody reads.

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use weir_config::model::Log;

use super::Output;
use super::sink::{Filled, Message, Settings, Sink, SinkCounters};

/// Buffers under way at once, for each sink.
const FULL_PER_SINK: usize = 8;

/// Empty buffers kept for each sink.
const EMPTY_PER_SINK: usize = 2;

/// A buffer that has grown beyond this many bytes is not kept.
const KEPT_BYTES_MAX: usize = 128 << 10;

/// Between two reports of write errors.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// What has become of the lines since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines accepted from the workers.
    pub lines: u64,
    /// Lines dropped because the writer was behind.
    pub dropped: u64,
    /// Accepted lines that could not be written.
    pub failed: u64,
    /// Writes that failed.
    pub write_errors: u64,
}

/// The handle of the thread that writes the access log.
#[derive(Debug)]
pub struct Writer {
    settings: Arc<Settings>,
    orders: Arc<Orders>,
    sinks: Vec<Arc<SinkCounters>>,
    failures: Arc<Failures>,
    wake: SyncSender<Message>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

/// What the thread is to do next; later orders replace earlier ones.
#[derive(Debug, Default)]
struct Orders {
    output: Mutex<Option<Output>>,
    finish: AtomicBool,
    /// There is an order that the thread has not seen.
    pending: AtomicBool,
}

/// What went wrong in the thread.
#[derive(Debug, Default)]
struct Failures {
    lines: AtomicU64,
    write_errors: AtomicU64,
}

impl Writer {
    /// Starts the thread, and makes `workers` sinks for it.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(log: &Log, output: Output, workers: usize) -> io::Result<(Self, Vec<Sink>)> {
        let settings = Arc::new(Settings::default());
        settings.set(!output.is_off(), log.access_format, log.access_buffer_bytes);
        let (full, messages) = sync_channel(FULL_PER_SINK * workers.max(1));

        let mut sinks = Vec::with_capacity(workers);
        let mut ways_back = Vec::with_capacity(workers);
        for index in 0..workers {
            let (way_back, empty) = sync_channel(EMPTY_PER_SINK);
            let counters = Arc::new(SinkCounters::default());
            ways_back.push((way_back, Arc::clone(&counters)));
            sinks.push(Sink::new(index, Arc::clone(&settings), counters, full.clone(), empty));
        }

        let (orders, failures) = (Arc::new(Orders::default()), Arc::new(Failures::default()));
        let counters = ways_back.iter().map(|(_, counters)| Arc::clone(counters)).collect();
        let (running, ended) = sync_channel(0);
        let task = Task {
            messages,
            output,
            orders: Arc::clone(&orders),
            sinks: ways_back,
            failures: Arc::clone(&failures),
            reported: None,
        };
        let thread = Builder::new().name("weir-access-log".into()).spawn(move || {
            task.run();
            drop(running);
        })?;
        Ok((Self { settings, orders, sinks: counters, failures, wake: full, ended, thread }, sinks))
    }

    /// Goes on as `log` says, at a reload. `output` is `log.access`, just opened: so a path that can't be
    /// opened refuses the reload, and a rotated file is left. Lines handed over before still go to the
    /// output of before.
    pub fn apply(&self, log: &Log, output: Output) {
        self.settings.set(!output.is_off(), log.access_format, log.access_buffer_bytes);
        *self.orders.output.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
        self.wake();
    }

    /// What has become of the lines since the start.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            failed: self.failures.lines.load(Relaxed),
            write_errors: self.failures.write_errors.load(Relaxed),
            ..Counts::default()
        };
        for sink in &self.sinks {
            counts.lines += sink.lines.load(Relaxed);
            counts.dropped += sink.dropped.load(Relaxed);
        }
        counts
    }

    /// Ends the thread once what was handed over is written, but does not wait beyond `deadline`. Sinks
    /// are to be dropped or flushed before. Whether the thread came to its end.
    pub fn finish(self, deadline: Instant) -> bool {
        self.orders.finish.store(true, Relaxed);
        self.wake();
        let left = deadline.saturating_duration_since(Instant::now());
        match self.ended.recv_timeout(left) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => self.thread.join().is_ok(),
            Err(RecvTimeoutError::Timeout) => false,
        }
    }

    fn wake(&self) {
        self.orders.pending.store(true, Release);
        // When the channel is full, the thread is not asleep and looks after its next buffer.
        let _ = self.wake.try_send(Message::Wake);
    }
}

/// The thread's own state.
struct Task {
    messages: Receiver<Message>,
    output: Output,
    orders: Arc<Orders>,
    sinks: Vec<(SyncSender<Vec<u8>>, Arc<SinkCounters>)>,
    failures: Arc<Failures>,
    /// When a write error was last reported.
    reported: Option<Instant>,
}

impl Task {
    fn run(mut self) {
        while let Ok(message) = self.messages.recv() {
            match message {
                Message::Filled(filled) => self.write(filled),
                Message::Wake => {}
            }
            if self.orders.pending.swap(false, Acquire) && self.follow_orders() {
                return;
            }
        }
    }

    /// Whether the order is to end.
    fn follow_orders(&mut self) -> bool {
        let output = self.orders.output.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(output) = output {
            self.output = output;
        }
        if !self.orders.finish.load(Relaxed) {
            return false;
        }
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Filled(filled) => self.write(filled),
                Message::Wake => {}
            }
        }
        true
    }

    fn write(&mut self, filled: Filled) {
        let Filled { sink, mut text, lines: _ } = filled;
        let orders = &self.orders;
        let is_replaced = || orders.pending.load(Relaxed) && !orders.finish.load(Relaxed);
        if let Err(unwritten) = self.output.write(&text, is_replaced) {
            self.failures.lines.fetch_add(unwritten.lines, Relaxed);
            self.failures.write_errors.fetch_add(1, Relaxed);
            self.report(&unwritten.error);
        }
        let Some((way_back, counters)) = self.sinks.get(sink) else { return };
        counters.bytes_under_way.fetch_sub(text.len(), Relaxed);
        if text.capacity() <= KEPT_BYTES_MAX {
            text.clear();
            // The sink has enough of them, or is gone.
            let _ = way_back.try_send(text);
        }
    }

    fn report(&mut self, error: &io::Error) {
        if self.reported.is_none_or(|reported| reported.elapsed() >= REPORT_INTERVAL) {
            self.reported = Some(Instant::now());
            let lines = self.failures.lines.load(Relaxed);
            tracing::error!(%error, lines, "can't write the access log; lines lost so far are counted");
        }
    }
}

#[cfg(test)]
impl Writer {
    /// Whether the thread has yet to see an order.
    pub(super) fn is_pending(&self) -> bool {
        self.orders.pending.load(Acquire)
    }

    pub(super) fn sink_counters(&self, sink: usize) -> Arc<SinkCounters> {
        Arc::clone(&self.sinks[sink])
    }
}
