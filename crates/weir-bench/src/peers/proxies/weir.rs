//! Weir: its defaults, and room for as many sessions as are needed.

use super::{Front, IDLE_CONNECTIONS, Launch, Peer, Setting};

/// This program.
pub(super) const PEER: Peer = Peer {
    name: "weir",
    variable: "WEIR",
    hint: "`make build` builds it",
    version: &["--version"],
    fronts: &Front::ALL,
    queues: true,
    prepare,
};

fn prepare(setting: &Setting<'_>) -> Launch {
    let Setting { listen, origin, workers, connections_max, queue, .. } = setting;
    let access = setting.access_log.map_or("off".into(), |file| file.display().to_string());
    let limit =
        setting.origin_connections_max.map_or(String::new(), |max| format!(", max_connections: {max}"));
    let front = match setting.front {
        // It tells HTTP/1 from HTTP/2 by the first bytes.
        Front::Http | Front::H2c => String::new(),
        // By default it offers HTTP/2 and HTTP/1.1 there.
        Front::Tls => format!(
            "    tls:\n      certificates: [{{ certificate: \"{}\", key: \"{}\" }}]\n",
            setting.certificate.certificate.display(),
            setting.certificate.key.display()
        ),
        Front::Tcp => "    protocol: tcp\n".into(),
    };
    // These are HTTP's.
    let waits = match setting.front {
        Front::Http | Front::Tls | Front::H2c => "    timeouts: { request_head: 60s, keep_alive: 2m }\n",
        Front::Tcp => "",
    };
    let text = format!(
        r#"version: 1
workers: {workers}
admin:
  bind: "127.0.0.1:0"
log:
  level: warn
  access: "{access}"
limits:
  sessions: {connections_max}
timeouts:
  drain: 1s
listeners:
  bench:
    bind: "{listen}"
{front}{waits}    routes:
      - pool: origin
pools:
  origin:
    servers:
      - {{ name: origin, address: "{origin}"{limit} }}
    limits:
      idle_connections: {IDLE_CONNECTIONS}
      queue: {queue}
    timeouts:
      queue: 5s
"#
    );
    let file = "weir.yaml";
    Launch {
        file,
        text,
        arguments: vec!["run".into(), "--config".into(), setting.path(file)],
        ..Launch::default()
    }
}
