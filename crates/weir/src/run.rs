//! `weir run`: read, refuse or serve, reload on request, drain, stop.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use weir_admin::{Operator, Setup, Stamp};
use weir_config::model::{Admin, CertificateFiles, System};
use weir_config::tls::Tls;

use crate::check::read;
use crate::logging::{self, color, say};
use crate::notify::Starter;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Write what `PUT /api/v1/config` applied to FILE, as it was sent, so that the next start has it
    #[arg(long)]
    save_config: bool,
    #[command(flatten)]
    appliance: Appliance,
}

/// What the appliance's process 1 says to the load balancer. It implies `--save-config`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The appliance (`weir init` says these)")]
struct Appliance {
    /// The folder in which `weir init` tells what it has come to, for GET /api/v1/system
    #[arg(long = "appliance", value_name = "DIR", hide_short_help = true)]
    #[arg(requires_all = ["admin_certificate", "admin_key", "admin_token"])]
    folder: Option<PathBuf>,
    /// The certificate of the admin API on port 9000, while the configuration has no `admin` section
    #[arg(long, value_name = "FILE", requires = "folder", hide_short_help = true)]
    admin_certificate: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "folder", hide_short_help = true)]
    admin_key: Option<PathBuf>,
    /// The file with the token that requests must carry then
    #[arg(long, value_name = "FILE", requires = "folder", hide_short_help = true)]
    admin_token: Option<PathBuf>,
}

/// Where the appliance's admin API is unless its configuration says otherwise.
const APPLIANCE_PORT: u16 = 9000;

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
    let setup = setup(options)?;
    runtime()?.block_on(serve(Source::File(options.config.clone()), setup, || {}))
}

fn setup(options: &Options) -> anyhow::Result<Setup> {
    let Options { config, save_config, appliance } = options;
    let save = *save_config || appliance.folder.is_some();
    anyhow::ensure!(!save || config.as_os_str() != "-", "--save-config: standard input can't be written to");
    let default_admin = match &appliance.admin_certificate {
        None => Admin::default(),
        Some(certificate) => Admin {
            bind: everywhere(APPLIANCE_PORT),
            token_file: appliance.admin_token.clone(),
            tls: Some(CertificateFiles {
                certificate: certificate.clone(),
                key: appliance.admin_key.clone(),
                ocsp: None,
            }),
        },
    };
    Ok(Setup { default_admin, save_to: save.then(|| config.clone()), appliance: appliance.folder.clone() })
}

/// Every address of this machine, IPv6 and IPv4; without IPv6 in the kernel, IPv4 alone.
fn everywhere(port: u16) -> SocketAddr {
    let ipv6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    if ipv6 { (Ipv6Addr::UNSPECIFIED, port).into() } else { (Ipv4Addr::UNSPECIFIED, port).into() }
}

/// The runtime of the main thread: signals, the admin API, nothing of the traffic.
pub(crate) fn runtime() -> anyhow::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).context("no runtime")
}

/// Serves until a signal says stop; `ready` is called when every listener is bound.
pub(crate) async fn serve(source: Source, setup: Setup, ready: impl FnOnce()) -> anyhow::Result<ExitCode> {
    let mut hangup = listen(SignalKind::hangup())?;
    let mut stop = Stop::new()?;
    let text = source.text()?;
    let loaded = match weir_config::load_with(&text, &setup.default_admin, &Tls::default()) {
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
    let on_appliance = setup.appliance.is_some();
    let operator = Operator::start(loaded, setup).await?;
    let (admin, tls) = (operator.admin_address(), operator.admin_speaks_tls());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %admin, admin_tls = tls, "serving");
    if !on_appliance && operator.proxy().snapshot().config.system != System::default() {
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

impl Watch {
    fn new(source: &Source) -> Self {
        let file = match source {
            Source::File(path) => Some(path.clone()),
            Source::BuiltIn(_) => None,
        };
        Self { seen: file.as_deref().and_then(Stamp::of), file }
    }

    /// Waits for the file to be replaced, while the configuration asks for that.
    async fn replaced(&mut self, operator: &Operator) {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            let now = self.file.as_deref().and_then(Stamp::of);
            // A file that is gone is on its way to being replaced.
            if now.is_none() || now == self.seen {
                continue;
            }
            let ours = now == operator.saved().await;
            self.seen = now;
            if !ours && operator.proxy().snapshot().config.watch_config {
                return;
            }
        }
    }
}
