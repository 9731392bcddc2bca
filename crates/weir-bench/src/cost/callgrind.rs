//! Instructions and calls, counted by valgrind's callgrind.
//!
//! Weir is started once for cases that follow each other and need the same configuration; between loads callgrind is told to
//! write down what it has and to begin at zero.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use super::Load;
use super::case::Case;
use super::client::Client;
use super::profile::Profile;
use super::subject::{Setup, Subject};
use crate::harness::say;
use crate::peers::proxies::Front;

/// What a request of a case costs.
#[derive(Debug, Clone)]
pub struct CaseCost {
    /// The case.
    pub case: Case,
    /// All counts for one request.
    pub request: Profile,
}

/// Counts each case. Those that Weir can't be started for are left out, with a line that says why; plain HTTP it can.
///
/// # Errors
/// When valgrind is missing or can't be told anything, or a request fails.
pub async fn measure(setup: &Setup, cases: &[Case], load: Load) -> anyhow::Result<Vec<CaseCost>> {
    let mut costs = Vec::new();
    for cases in cases.chunk_by(Case::is_started_like) {
        let counted = async {
            let mut running = Callgrind::start(setup, cases[0]).await?;
            let mut counted = Vec::new();
            for &case in cases {
                let cost = running.count(case, load).await;
                counted.push(cost.with_context(|| format!("counting {}", case.name))?);
            }
            running.subject.end().await?;
            anyhow::Ok(counted)
        };
        match counted.await {
            Ok(counted) => costs.extend(counted),
            Err(why) if cases[0].front == Front::Http => return Err(why),
            Err(why) => say(&format!("{}: not counted: {why:#}", names(cases))),
        }
    }
    Ok(costs)
}

fn names(cases: &[Case]) -> String {
    cases.iter().map(|case| case.name).collect::<Vec<_>>().join(", ")
}

/// Weir beneath callgrind.
struct Callgrind<'a> {
    setup: &'a Setup,
    subject: Subject,
    /// The pipes through which valgrind is told things begin with this.
    pipes: OsString,
    /// Where it writes; each time a number is added.
    file: PathBuf,
    written: u32,
}

impl<'a> Callgrind<'a> {
    async fn start(setup: &'a Setup, case: Case) -> anyhow::Result<Self> {
        let what = format!("callgrind-{}", case.start());
        let directory = setup.directory.sub(&what)?;
        let file = directory.join("counts");
        let option = |name: &str, value: PathBuf| {
            let mut option = OsString::from(name);
            option.push(value);
            option
        };
        let pipes = option("--vgdb-prefix=", directory.join("pipe"));
        let arguments =
            vec!["--tool=callgrind".into(), option("--callgrind-out-file=", file.clone()), pipes.clone()];
        let subject = setup.start(&what, "valgrind", arguments, case).await?;
        Ok(Self { setup, subject, pipes, file, written: 0 })
    }

    async fn count(&mut self, case: Case, load: Load) -> anyhow::Result<CaseCost> {
        let mut client = Client::new(&self.subject, case);
        client.ask(load.warm_up).await?;
        self.dump().await?;
        client.ask(load.few).await?;
        let few = Profile::parse(&self.dump().await?).map_err(anyhow::Error::msg)?;
        client.ask(load.many).await?;
        let many = Profile::parse(&self.dump().await?).map_err(anyhow::Error::msg)?;
        Ok(CaseCost { case, request: many.minus(&few, load.difference()) })
    }

    /// What was counted since the last time.
    async fn dump(&mut self) -> anyhow::Result<String> {
        let process = format!("--pid={}", self.subject.id());
        self.setup.run("vgdb", vec![self.pipes.clone(), process.into(), "dump".into()]).await?;
        self.written += 1;
        let mut file = self.file.clone().into_os_string();
        file.push(format!(".{}", self.written));
        fs::read_to_string(file).context("callgrind has written nothing")
    }
}
