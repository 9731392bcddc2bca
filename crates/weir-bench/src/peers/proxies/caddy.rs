//! Caddy: plain HTTP, no certificates, no admin API; its runtime on as many cores as the others have workers.

use super::{IDLE_CONNECTIONS, Launch, Peer, Setting};

/// This program.
pub(super) const PEER: Peer = Peer {
    name: "caddy",
    variable: "CADDY",
    hint: "`apt-get install caddy` gets it",
    version: &["version"],
    queues: false,
    prepare,
};

fn prepare(setting: &Setting<'_>) -> Launch {
    let Setting { listen, origin, workers, .. } = setting;
    let log = setting.access_log.map_or(String::new(), |file| {
        format!(
            "    log {{\n        output file {} {{\n            roll_disabled\n        }}\n    }}\n",
            file.display()
        )
    });
    // Go's transport asks for gzip by itself and unpacks it, which is nobody's wish here.
    let text = format!(
        "{{
    admin off
    auto_https off
    servers {{
        timeouts {{
            read_header 60s
            idle 120s
        }}
    }}
}}

http://:{port} {{
    bind {address}
{log}    reverse_proxy {origin} {{
        transport http {{
            dial_timeout 3s
            response_header_timeout 60s
            keepalive 60s
            keepalive_idle_conns {IDLE_CONNECTIONS}
            keepalive_idle_conns_per_host {IDLE_CONNECTIONS}
            compression off
        }}
    }}
}}
",
        port = listen.port(),
        address = listen.ip(),
    );
    let file = "Caddyfile";
    Launch {
        file,
        text,
        arguments: ["run", "--config", &setting.path(file), "--adapter", "caddyfile"].map(Into::into).into(),
        // It stores what it is and what it knows beneath these.
        environment: vec![
            ("GOMAXPROCS", workers.to_string()),
            ("HOME", setting.path("")),
            ("XDG_DATA_HOME", setting.path("data")),
            ("XDG_CONFIG_HOME", setting.path("config")),
        ],
        ..Launch::default()
    }
}
