//! The sinks and the writer together, against files and pipes.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use weir_config::model::{AccessLogFormat, AccessLogTarget, Log};

use super::record::tests::sample;
use super::*;

/// A folder that goes when the test does.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-access-log-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn log_to(path: &Path) -> Log {
    Log { access: AccessLogTarget::File(path.into()), ..Log::default() }
}

fn start(log: &Log, workers: usize) -> (Writer, Vec<Sink>) {
    Writer::start(log, Output::open(&log.access).unwrap(), workers).unwrap()
}

fn log_target(sink: &Sink, target: &str) {
    sink.log(&Record { target: target.as_bytes(), ..sample() });
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = soon();
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn targets(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("a whole line");
            value["target"].as_str().expect("a target").to_owned()
        })
        .collect()
}

#[test]
fn every_line_is_written_once_and_in_a_workers_order() {
    let folder = Folder::new("order");
    // Room for every line, however late the writer gets its turn.
    let log = Log { access_buffer_bytes: 8 << 20, ..log_to(&folder.0.join("access.log")) };
    let (writer, sinks) = start(&log, 3);
    let workers: Vec<_> = sinks
        .into_iter()
        .enumerate()
        .map(|(worker, sink)| {
            thread::spawn(move || {
                for n in 0..2000 {
                    log_target(&sink, &format!("/{worker}/{n}"));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(writer.counts(), Counts { lines: 6000, ..Counts::default() });
    assert!(writer.finish(soon()));

    let targets = targets(&fs::read_to_string(folder.0.join("access.log")).unwrap());
    for worker in 0..3 {
        let prefix = format!("/{worker}/");
        let of_worker: Vec<_> = targets.iter().filter_map(|t| t.strip_prefix(&prefix)).collect();
        let expected: Vec<_> = (0..2000).map(|n| n.to_string()).collect();
        assert_eq!(of_worker, expected);
    }
}

#[test]
fn a_pipe_that_nobody_reads_drops_and_counts_and_never_blocks() {
    let log = Log { access_buffer_bytes: 128 << 10, ..Log::default() };
    let (reader, pipe) = io::pipe().unwrap();
    let (writer, sinks) = Writer::start(&log, Output::pipe(pipe), 1).unwrap();
    let started = Instant::now();
    for n in 0..10_000 {
        log_target(&sinks[0], &format!("/{n}"));
    }
    assert!(started.elapsed() < Duration::from_secs(5));
    let counts = writer.counts();
    assert_eq!(counts.lines + counts.dropped, 10_000);
    assert!(counts.dropped > 5_000, "{counts:?}");

    // What was accepted arrives, whole and in order, once somebody reads.
    let read = thread::spawn(move || {
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        targets(&lines.join("\n"))
    });
    wait_until("room for the last buffer", || {
        sinks[0].flush();
        sinks[0].is_empty()
    });
    drop(sinks);
    assert_eq!(writer.counts(), counts);
    assert!(writer.finish(soon()));
    let numbers: Vec<u64> = read.join().unwrap().iter().map(|t| t[1..].parse().unwrap()).collect();
    assert_eq!(numbers.len() as u64, counts.lines);
    assert!(numbers.is_sorted());
}

#[test]
fn the_end_is_bounded_while_the_output_is_stuck() {
    let (_reader, pipe) = io::pipe().unwrap();
    let (writer, sinks) = Writer::start(&Log::default(), Output::pipe(pipe), 1).unwrap();
    for n in 0..1000 {
        log_target(&sinks[0], &format!("/{n}"));
    }
    drop(sinks);
    let started = Instant::now();
    assert!(!writer.finish(started + Duration::from_millis(100)));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_reader_that_is_gone_costs_lines_and_not_the_process() {
    let (reader, pipe) = io::pipe().unwrap();
    drop(reader);
    let (writer, sinks) = Writer::start(&Log::default(), Output::pipe(pipe), 1).unwrap();
    log_target(&sinks[0], "/1");
    log_target(&sinks[0], "/2");
    sinks[0].flush();
    wait_until("the failure", || writer.counts().write_errors > 0);
    assert_eq!(writer.counts(), Counts { lines: 2, dropped: 0, failed: 2, write_errors: 1 });

    // Another output, and all is well again.
    let folder = Folder::new("gone");
    let log = log_to(&folder.0.join("access.log"));
    writer.apply(&log, Output::open(&log.access).unwrap());
    log_target(&sinks[0], "/3");
    drop(sinks);
    assert!(writer.finish(soon()));
    assert_eq!(targets(&fs::read_to_string(folder.0.join("access.log")).unwrap()), ["/3"]);
}

#[test]
fn a_rotated_file_is_left_at_a_reload() {
    let folder = Folder::new("rotate");
    let (path, rotated) = (folder.0.join("access.log"), folder.0.join("access.log.1"));
    let log = log_to(&path);
    let (writer, sinks) = start(&log, 1);
    log_target(&sinks[0], "/before");
    sinks[0].flush();
    fs::rename(&path, &rotated).unwrap();
    writer.apply(&log, Output::open(&log.access).unwrap());
    // The old file is closed once the order is followed; lines until then may still go there.
    wait_until("the order is followed", || !writer.is_pending());
    log_target(&sinks[0], "/after");
    drop(sinks);
    assert!(writer.finish(soon()));
    assert_eq!(targets(&fs::read_to_string(&rotated).unwrap()), ["/before"]);
    assert_eq!(targets(&fs::read_to_string(&path).unwrap()), ["/after"]);
}

#[test]
fn a_reload_turns_the_log_off_and_on_and_changes_its_form() {
    let folder = Folder::new("switch");
    let path = folder.0.join("access.log");
    let off = Log { access: AccessLogTarget::Off, ..Log::default() };
    let (writer, sinks) = start(&off, 1);
    assert!(!sinks[0].is_on());
    log_target(&sinks[0], "/unseen");
    assert_eq!(writer.counts(), Counts::default());

    let on = Log { access_format: AccessLogFormat::Common, ..log_to(&path) };
    writer.apply(&on, Output::open(&on.access).unwrap());
    log_target(&sinks[0], "/seen");
    sinks[0].flush();
    wait_until("the line is written", || fs::read_to_string(&path).unwrap().ends_with('\n'));
    writer.apply(&off, Output::open(&off.access).unwrap());
    log_target(&sinks[0], "/unseen");
    drop(sinks);
    assert!(writer.finish(soon()));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"GET /seen HTTP/1.1\" 200") && text.lines().count() == 1, "{text}");
}

#[test]
fn lines_after_the_end_are_counted_as_dropped() {
    let folder = Folder::new("late");
    let (writer, sinks) = start(&log_to(&folder.0.join("access.log")), 1);
    let counters = writer.sink_counters(0);
    assert!(writer.finish(soon()));
    log_target(&sinks[0], "/late");
    drop(sinks);
    assert_eq!(counters.dropped.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn a_file_that_can_not_be_opened_is_said_at_once() {
    let target = AccessLogTarget::File("/nonexistent/weir/access.log".into());
    assert_eq!(Output::open(&target).unwrap_err().kind(), io::ErrorKind::NotFound);
}
