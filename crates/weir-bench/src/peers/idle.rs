//! What a connection costs that does nothing: the memory of the proxy, and of the kernel.
//!
//! Many connections are opened through loopback, and the proxy's growth is divided by their number: once when none
//! of them has sent a byte, in TLS beyond its handshake, and again when each has had an answer and rested. The kernel
//! holds both ends here, of which a real proxy has one, so half of its growth is the proxy's; that figure is an
//! estimate, because the kernel gives memory back when it likes and holds other things too.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::bench::{Bench, MEASURE, OURS};
use super::client;
use super::memory::{Memory, kernel_bytes};
use super::proxies::Front;
use super::rounds::LeftOut;
use super::running::{Running, Variant};
use crate::harness::say;
use crate::harness::stream::ClientStream;
use crate::harness::tls::Offer;

/// The time to come to rest, after which memory is read.
const REST: Duration = Duration::from_secs(3);

/// How many connections are opened before the proxy gets a chance to accept them.
const BATCH: usize = 64;

/// The pause after that.
const BATCH_PAUSE: Duration = Duration::from_millis(5);

/// Requests before the first measurement, for whatever a proxy allocates once.
const WARM_UP_REQUESTS: usize = 20;

/// What of HAProxy's memory Weir may take for an idle connection in TLS, after an answer.
const TLS_RATIO_MAX: f64 = 0.6;

/// What idle connections of one kind cost each proxy.
#[derive(Debug, Clone, Serialize)]
pub struct IdleRun {
    /// Over what.
    pub front: Front,
    /// How many there were.
    pub connections: u32,
    /// What of HAProxy's Weir may take after an answer, at most.
    pub ratio_max: Option<f64>,
    /// Each proxy.
    pub peers: Vec<Idle>,
    /// Who wasn't measured.
    pub left_out: Vec<LeftOut>,
}

/// What idle connections cost one proxy.
#[derive(Debug, Clone, Serialize)]
pub struct Idle {
    /// Whose.
    pub peer: String,
    /// What it held without any.
    pub base: Memory,
    /// For each connection that never sent anything.
    pub silent: PerConnection,
    /// For each connection after one answered request.
    pub answered: PerConnection,
}

/// Bytes for each connection.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PerConnection {
    /// Growth of the proxy's resident memory, shared pages divided.
    pub pss: f64,
    /// Growth of its resident memory.
    pub rss: f64,
    /// Half of the kernel's growth.
    pub kernel: f64,
}

impl IdleRun {
    /// Our growth over that of this proxy, after an answer; none for our own.
    pub fn ratio(&self, peer: &Idle) -> Option<f64> {
        let ours = self.peers.iter().find(|idle| idle.peer == OURS)?.answered.pss;
        (peer.peer != OURS && peer.answered.pss > 0.0).then(|| ours / peer.answered.pss)
    }

    /// What that may be at most.
    pub fn ratio_max(&self, peer: &Idle) -> Option<f64> {
        self.ratio_max.filter(|_| peer.peer == MEASURE)
    }
}

/// Every installed proxy, one after the other, each started anew, over each kind of listener that the options say.
///
/// # Errors
/// When Weir can't be measured over plain HTTP. Whoever else can't is left out, with the reason.
pub async fn measure_all(bench: &Bench) -> anyhow::Result<Vec<IdleRun>> {
    let connections = bench.options.idle;
    let mut all = Vec::new();
    for front in bench.options.idle_fronts() {
        let ratio_max = (front == Front::Tls).then_some(TLS_RATIO_MAX);
        let mut run = IdleRun { front, connections, ratio_max, peers: Vec::new(), left_out: Vec::new() };
        for installed in &bench.installed {
            let name = installed.peer.name;
            say(&format!("{connections} idle connections to {name}, {} …", front.name()));
            let measured = async {
                let running = installed.start(bench, "idle", &Variant::of(front)).await?;
                measure(&running, front, connections).await
            };
            match measured.await {
                Ok(idle) => run.peers.push(idle),
                Err(why) if name == OURS && front == Front::Http => return Err(why),
                Err(why) => run.left_out.push(LeftOut::new(name, &why)),
            }
        }
        all.push(run);
    }
    Ok(all)
}

async fn measure(peer: &Running, front: Front, connections: u32) -> anyhow::Result<Idle> {
    // None resumes: each is a client of its own.
    let offer = (front == Front::Tls).then(|| Offer::new().without_tickets());
    for _ in 0..WARM_UP_REQUESTS {
        client::fetch(peer.address, front).await?;
    }
    tokio::time::sleep(REST).await;
    let (base, base_kernel) = (Memory::of(peer.id()), kernel_bytes());
    let growth = || {
        let (now, kernel) = (Memory::of(peer.id()), kernel_bytes());
        let each = |now: u64, base: u64| (now as f64 - base as f64) / f64::from(connections.max(1));
        PerConnection {
            pss: each(now.pss_kib, base.pss_kib) * 1024.0,
            rss: each(now.rss_kib, base.rss_kib) * 1024.0,
            kernel: each(kernel, base_kernel) / 2.0,
        }
    };

    let mut streams: Vec<ClientStream> = Vec::new();
    for count in 1..=connections as usize {
        let stream = client::connect_one_of_many(peer.address, count, offer.as_ref()).await;
        streams.push(stream.with_context(|| format!("connection {count} of {connections}"))?);
        if count % BATCH == 0 {
            tokio::time::sleep(BATCH_PAUSE).await;
        }
    }
    tokio::time::sleep(REST).await;
    let silent = growth();

    for (at, stream) in streams.iter_mut().enumerate() {
        client::ask(stream).await.with_context(|| format!("a request on connection {}", at + 1))?;
    }
    tokio::time::sleep(REST).await;
    Ok(Idle { peer: peer.name.clone(), base, silent, answered: growth() })
}
