//! HAProxy: one thread, connections to the origin shared by all sessions.

use super::{Front, Launch, Peer, Setting};

/// This program.
pub(super) const PEER: Peer = Peer {
    name: "haproxy",
    variable: "HAPROXY",
    hint: "`apt-get install haproxy` gets it",
    version: &["-v"],
    fronts: &Front::ALL,
    queues: true,
    prepare,
};

fn prepare(setting: &Setting<'_>) -> Launch {
    let Setting { listen, origin, workers, connections_max, .. } = setting;
    // `raw` lines to the standard output need no syslog daemon, and no datagram for each.
    let (target, log) = match setting.access_log {
        Some(_) => ("    log stdout format raw daemon\n", "    log global\n"),
        None => ("", ""),
    };
    let style = if setting.access_log.is_none() {
        ""
    } else {
        match setting.front {
            Front::Http | Front::Tls | Front::H2c => "    option httplog\n",
            Front::Tcp => "    option tcplog\n",
        }
    };
    let http = "    mode http\n    option forwardfor\n    http-reuse always\n    timeout http-request 60s\n    \
                timeout http-keep-alive 120s\n";
    let (bind, mode) = match setting.front {
        Front::Http => (String::new(), http),
        Front::Tls => (format!(" ssl crt {} alpn h2,http/1.1", setting.certificate.both.display()), http),
        Front::H2c => (" proto h2".into(), http),
        Front::Tcp => (String::new(), "    mode tcp\n"),
    };
    // Whoever finds the only server full waits for the backend as a whole, and that queue has no bound.
    let limit = setting.origin_connections_max.map_or(String::new(), |max| format!(" maxconn {max}"));
    // Without `no strict-limits` it refuses to start where twice maxconn files may not be open; the idle
    // connections of this comparison need one each.
    let text = format!(
        "global
    nbthread {workers}
    maxconn {connections_max}
    no strict-limits
{target}
defaults
{mode}{log}{style}    timeout connect 3s
    timeout client 120s
    timeout server 60s
    timeout queue 5s

frontend bench
    bind {listen}{bind}
    default_backend origin

backend origin
    server origin {origin}{limit}
"
    );
    let file = "haproxy.cfg";
    Launch {
        file,
        text,
        arguments: vec!["-db".into(), "-f".into(), setting.path(file)],
        logs_to_stdout: setting.access_log.is_some(),
        ..Launch::default()
    }
}
