//! What every measurement needs: the options of the run, the programs, the origin, the load generator.

use anyhow::Context;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use super::case::Case;
use super::environment::Environment;
use super::load::Generators;
use super::proxies::{Front, Peer};
use super::running::Installed;
use crate::harness::certificate::Certificate;
use crate::harness::cores::Cores;
use crate::harness::directory::Directory;
use crate::harness::origin::OriginProcess;
use crate::harness::{raise_files_limit, say};

/// The name of the program that all others are compared with.
pub const OURS: &str = "weir";

/// The name of the program that the targets are set against.
pub const MEASURE: &str = "haproxy";

/// Open files that a proxy needs beyond one for each client.
const FILES_RESERVED: u64 = 600;

/// Whether peers write an access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessLog {
    /// They don't.
    Off,
    /// They do.
    On,
    /// Each case once without and once with.
    Both,
}

/// How a run is to be.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    /// Rounds of each case.
    pub rounds: u32,
    /// Seconds of a round.
    pub seconds: u32,
    /// Connections of the load generator.
    pub connections: u32,
    /// What is asked for.
    pub cases: Vec<Case>,
    /// The programs, by name.
    pub peers: Vec<String>,
    /// Whether they log.
    pub access_log: AccessLog,
    /// Requests that may wait under overload, where a proxy can be told that.
    pub queue: u32,
    /// Idle connections of which the memory is measured; 0 leaves that out.
    pub idle: u32,
    /// Where the proxies run.
    pub proxy_cores: Cores,
    /// Where everything else runs.
    pub load_cores: Cores,
    /// Whether the configurations stay.
    pub keep: bool,
    /// When this is, for the report.
    pub date: Option<String>,
}

impl Options {
    /// What the cases need the proxies to listen for, in the usual order.
    pub fn fronts(&self) -> Vec<Front> {
        let needed = |front: &Front| self.cases.iter().any(|case| case.front == *front);
        Front::ALL.into_iter().filter(needed).collect()
    }

    /// Over what the memory of idle connections is measured: HTTP/1.1 and TLS, as far as there are cases of either, and
    /// both where there are none at all.
    pub fn idle_fronts(&self) -> Vec<Front> {
        let fronts = self.fronts();
        let wanted = |front: &Front| self.cases.is_empty() || fronts.contains(front);
        let all = if self.idle > 0 { &[Front::Http, Front::Tls][..] } else { &[] };
        all.iter().copied().filter(wanted).collect()
    }
}

/// The bench, set up.
#[derive(Debug)]
pub struct Bench {
    /// How the run is to be.
    pub options: Options,
    /// The machine.
    pub environment: Environment,
    /// The programs that were found.
    pub installed: Vec<Installed>,
    /// What the proxies show in TLS.
    pub certificate: Certificate,
    /// The load generators.
    pub generators: Generators,
    /// The server behind all proxies.
    pub origin: OriginProcess,
    /// Configurations and logs. The last field, for it goes when nobody writes there any more.
    pub directory: Directory,
}

impl Bench {
    /// Finds the programs and starts the origin.
    ///
    /// # Errors
    /// When Weir is missing, or the origin doesn't start. Any other program is left out, with a line that
    /// says how to get it.
    pub fn set_up(options: Options) -> anyhow::Result<Self> {
        raise_files_limit().context("cannot raise the limit on open files")?;
        options.proxy_cores.run(|| Ok(()))?;
        // What this process does itself is little, but it must not be on the proxies' account.
        options.load_cores.pin()?;
        let mut installed = Vec::new();
        for name in &options.peers {
            let peer = Peer::named(name).with_context(|| format!("no peer is named `{name}`"))?;
            match Installed::find(peer) {
                Ok(found) => {
                    say(&format!("{name}: {} ({})", found.version, found.program.display()));
                    installed.push(found);
                }
                Err(why) if name == OURS => anyhow::bail!(why),
                Err(why) => say(&format!("{name}: left out: {why}")),
            }
        }
        let directory = Directory::new(options.keep).context("cannot make a temporary directory")?;
        if options.keep {
            say(&format!("the configurations stay in {}", directory.path().display()));
        }
        let certificate = Certificate::in_directory(directory.path());
        if options.fronts().contains(&Front::Tls) || options.idle_fronts().contains(&Front::Tls) {
            certificate.make()?;
        }
        let generators = Generators { cores: options.load_cores.clone(), directory: directory.path().into() };
        let origin = OriginProcess::start(&options.load_cores, &directory)?;
        let environment = Environment::now(options.date.clone(), &installed);
        Ok(Self { options, environment, installed, certificate, generators, origin, directory })
    }

    /// How many clients a proxy may have with the files that it may open.
    pub fn connections_max(&self) -> u32 {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
        u32::try_from(files.saturating_sub(FILES_RESERVED).max(100)).unwrap_or(u32::MAX)
    }
}
