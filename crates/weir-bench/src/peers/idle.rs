//! What a connection costs that does nothing: the memory of the proxy, and of the kernel.
//!
//! Many connections are opened through loopback, and the proxy's growth is divided by their number: once when none
//! of them has sent a byte, and again when each has had an answer and rested. The kernel holds both ends here, of
//! which a real proxy has one, so half of its growth is the proxy's; that figure is an estimate, because the kernel
//! gives memory back when it likes and holds other things too.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::net::TcpStream;

use super::bench::{Bench, OURS};
use super::client;
use super::memory::{Memory, kernel_bytes};
use super::running::{Running, Variant};
use crate::harness::say;

/// The time to come to rest, after which memory is read.
const REST: Duration = Duration::from_secs(3);

/// How many connections are opened before the proxy gets a chance to accept them.
const BATCH: usize = 64;

/// The pause after that.
const BATCH_PAUSE: Duration = Duration::from_millis(5);

/// Requests before the first measurement, for whatever a proxy allocates once.
const WARM_UP_REQUESTS: usize = 20;

/// What idle connections cost one proxy.
#[derive(Debug, Clone, Serialize)]
pub struct Idle {
    /// Whose.
    pub peer: String,
    /// How many there were.
    pub connections: u32,
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

/// Every installed proxy, one after the other, each started anew.
///
/// # Errors
/// When Weir can't be measured. Any other proxy is left out, with the reason.
pub async fn measure_all(bench: &Bench) -> anyhow::Result<Vec<Idle>> {
    let mut all = Vec::new();
    for installed in &bench.installed {
        let name = installed.peer.name;
        say(&format!("{} idle connections to {name} …", bench.options.idle));
        let measured = async {
            let running = installed.start(bench, "idle", &Variant::default()).await?;
            measure(&running, bench.options.idle).await
        };
        match measured.await {
            Ok(idle) => all.push(idle),
            Err(why) if name == OURS => return Err(why),
            Err(why) => say(&format!("{name}: left out: {why:#}")),
        }
    }
    Ok(all)
}

async fn measure(peer: &Running, connections: u32) -> anyhow::Result<Idle> {
    for _ in 0..WARM_UP_REQUESTS {
        client::fetch(peer.address).await?;
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

    let mut streams: Vec<TcpStream> = Vec::new();
    for count in 1..=connections as usize {
        let stream = client::connect_one_of_many(peer.address, count).await;
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
    Ok(Idle { peer: peer.name.clone(), connections, base, silent, answered: growth() })
}
