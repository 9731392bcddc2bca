//! `weir run`: read, refuse or serve, reload on request, drain, stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use weir_admin::Operator;
use weir_config::model::System;
use weir_config::tls::Tls;

use crate::check::read;
use crate::logging::{self, color, say};
use crate::notify::Starter;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Where a configuration comes from.
pub(crate) enum Source {
    File(PathBuf),
    BuiltIn(String),
}

/// How often the file is looked at, with `watch_config`.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// How often the files are looked at that the configuration names.
const FILES_INTERVAL: Duration = Duration::from_secs(3);
/// How often the data plane's threads are looked at.
const PULSE: Duration = Duration::from_secs(1);

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(serve(Source::File(options.config.clone()), || {}))
}

/// The runtime of the main thread: signals, the admin API, nothing of the traffic.
pub(crate) fn runtime() -> anyhow::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).context("no runtime")
}

/// Serves until a signal says stop; `ready` is called when every listener is bound.
pub(crate) async fn serve(source: Source, ready: impl FnOnce()) -> anyhow::Result<ExitCode> {
    let mut hangup = listen(SignalKind::hangup())?;
    let mut stop = Stop::new()?;
    let text = source.text()?;
    let loaded = match weir_config::load(&text, &Tls::default()) {
        Ok(loaded) => loaded,
        Err(found) => {
            say(&found.render(&source.name(), &text, color()));
            return Ok(ExitCode::FAILURE);
        }
    };
    logging::start(loaded.config.log.level);
    if !loaded.warnings.is_empty() {
        say(&loaded.warnings.render(&source.name(), &text, color()));
    }
    let operator = Operator::start(loaded).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), admin = %operator.admin_address(), "serving");
    if operator.proxy().snapshot().config.system != System::default() {
        tracing::info!("`system` in the file is for the appliance; on this host nothing acts on it");
    }
    ready();
    let starter = Starter::here();
    starter.ready();

    let mut watch = Watch::new(&source);
    let mut files = tokio::time::interval_at(tokio::time::Instant::now() + FILES_INTERVAL, FILES_INTERVAL);
    files.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut pulse = tokio::time::interval(PULSE);
    loop {
        tokio::select! {
            _ = hangup.recv() => reload(&operator, &source, "SIGHUP").await,
            () = watch.replaced(&operator) => reload(&operator, &source, "the file was replaced").await,
            () = stop.requested() => break,
            _ = files.tick() => operator.refresh_files().await,
            _ = pulse.tick() => {
                anyhow::ensure!(
                    !operator.proxy().is_broken(),
                    "a thread of the data plane has ended; this is a defect in Weir, please report it"
                );
                starter.alive();
            }
        }
    }

    starter.stopping();
    tracing::info!("draining; a second signal stops at once");
    tokio::select! {
        drained = operator.proxy().drain() => {
            tracing::info!(sessions_left = drained.sessions_left, "drained");
        }
        () = stop.requested() => tracing::warn!("stopping at once"),
    }
    operator.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn reload(operator: &Rc<Operator>, source: &Source, why: &str) {
    let text = match source.text() {
        Ok(text) => text,
        Err(error) => {
            operator.refuse(&format!("{error:#}"));
            return tracing::error!(
                error = format!("{error:#}"),
                "reload refused; the old configuration serves"
            );
        }
    };
    match operator.reload(&text).await {
        Ok(applied) => {
            tracing::info!(why, generation = applied.generation, "configuration applied");
            for note in applied.notes {
                tracing::warn!(note, "reload");
            }
        }
        Err(error) => {
            say(&error.render(&source.name(), &text, color()));
            tracing::error!(why, "reload refused; the old configuration serves");
        }
    }
}

impl Source {
    fn text(&self) -> anyhow::Result<String> {
        match self {
            Self::File(path) => read(path),
            Self::BuiltIn(text) => Ok(text.clone()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::BuiltIn(_) => "built-in configuration".to_owned(),
        }
    }
}

/// The signals to stop: SIGTERM, and SIGINT for people at a terminal.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("can't listen for signals")
}

impl Stop {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// The next one of them.
    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Sees the file replaced, by its change time and size: no inotify, whose watches follow the old file.
struct Watch {
    file: Option<PathBuf>,
    seen: Option<Stamp>,
}

type Stamp = (SystemTime, u64, u64);

impl Watch {
    fn new(source: &Source) -> Self {
        let file = match source {
            Source::File(path) => Some(path.clone()),
            Source::BuiltIn(_) => None,
        };
        Self { seen: file.as_deref().and_then(stamp), file }
    }

    /// Waits for the file to be replaced, while the configuration asks for that.
    async fn replaced(&mut self, operator: &Operator) {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            let now = self.file.as_deref().and_then(stamp);
            // A file that is gone is on its way to being replaced.
            if now.is_none() || now == self.seen {
                continue;
            }
            self.seen = now;
            if operator.proxy().snapshot().config.watch_config {
                return;
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    Some((metadata.modified().ok()?, metadata.len(), inode))
}
