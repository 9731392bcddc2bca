//! Caddy: no certificates of its own, no HTTP/3, no admin API; its runtime on as many cores as the others have workers.

use super::{Front, IDLE_CONNECTIONS, Launch, Peer, Setting};

/// This program.
pub(super) const PEER: Peer = Peer {
    name: "caddy",
    variable: "CADDY",
    hint: "`apt-get install caddy` gets it",
    version: &["version"],
    fronts: &[Front::Http, Front::Tls, Front::H2c],
    queues: false,
    prepare,
};

fn prepare(setting: &Setting<'_>) -> Launch {
    let Setting { listen, origin, workers, .. } = setting;
    let (scheme, protocols, tls) = match setting.front {
        Front::Http | Front::Tcp => ("http", "h1", String::new()),
        Front::H2c => ("http", "h1 h2c", String::new()),
        Front::Tls => {
            let (certificate, key) = (&setting.certificate.certificate, &setting.certificate.key);
            ("https", "h1 h2", format!("    tls {} {}\n", certificate.display(), key.display()))
        }
    };
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
        protocols {protocols}
        timeouts {{
            read_header 60s
            idle 120s
        }}
    }}
}}

{scheme}://:{port} {{
    bind {address}
{tls}{log}    reverse_proxy {origin} {{
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
