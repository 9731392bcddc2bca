//! nginx: a master and its workers, keep-alive to the origin, which it doesn't do by itself.

use rustix::process::geteuid;

use super::{IDLE_CONNECTIONS, Launch, Peer, Setting};

/// This program.
pub(super) const PEER: Peer = Peer {
    name: "nginx",
    variable: "NGINX",
    hint: "`apt-get install nginx-light` gets it",
    version: &["-v"],
    queues: false,
    prepare,
};

fn prepare(setting: &Setting<'_>) -> Launch {
    let Setting { listen, origin, workers, connections_max, directory, .. } = setting;
    let root = directory.display();
    // Else a master that runs as root gives its workers another user, who may not enter this directory.
    let user = if geteuid().is_root() { "user root root;\n" } else { "" };
    // Weir and Envoy collect lines too before they write them; nginx writes each by itself unless it is told.
    let log = setting
        .access_log
        .map_or("off".into(), |file| format!("{} bench buffer=64k flush=1s", file.display()));
    let limit = setting.origin_connections_max.map_or(String::new(), |max| format!(" max_conns={max}"));
    // Beyond the clients': connections to the origin, and listeners. When all but a sixteenth are taken, it closes
    // idle connections to make room.
    let worker_connections = (connections_max + IDLE_CONNECTIONS + 64) / 14 * 16;
    let text = format!(
        r#"daemon off;
{user}worker_processes {workers};
pid {root}/nginx.pid;
error_log stderr warn;
events {{
    worker_connections {worker_connections};
}}
http {{
    log_format bench '$time_iso8601 $remote_addr "$request" $status $body_bytes_sent $request_time '
                     '$upstream_addr $upstream_response_time "$http_user_agent"';
    access_log {log};
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    client_header_timeout 60s;
    client_body_timeout 30s;
    send_timeout 30s;
    keepalive_timeout 120s;
    keepalive_requests 1000000000;
    upstream origin {{
        server {origin}{limit};
        keepalive {IDLE_CONNECTIONS};
        keepalive_requests 1000000000;
        keepalive_timeout 60s;
    }}
    server {{
        listen {listen} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_connect_timeout 3s;
            proxy_read_timeout 60s;
            proxy_send_timeout 30s;
        }}
    }}
}}
"#
    );
    let file = "nginx.conf";
    let arguments =
        ["-p", &setting.path(""), "-c", &setting.path(file), "-e", "stderr"].map(Into::into).into();
    Launch { file, text, arguments, ..Launch::default() }
}
