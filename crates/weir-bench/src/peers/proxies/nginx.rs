//! nginx: a master and its workers, keep-alive to the origin, which it doesn't do by itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::geteuid;

use super::{Front, IDLE_CONNECTIONS, Launch, Peer, Setting};
use crate::harness::process::quiet;

/// This program.
pub(super) const PEER: Peer = Peer {
    name: "nginx",
    variable: "NGINX",
    hint: "`apt-get install nginx-light` gets it",
    version: &["-v"],
    fronts: &Front::ALL,
    queues: false,
    prepare,
};

fn prepare(setting: &Setting<'_>) -> Launch {
    let Setting { workers, connections_max, directory, .. } = setting;
    let root = directory.display();
    // Else a master that runs as root gives its workers another user, who may not enter this directory.
    let user = if geteuid().is_root() { "user root root;\n" } else { "" };
    // Beyond the clients': connections to the origin, and listeners. When all but a sixteenth are taken, it closes
    // idle connections to make room.
    let worker_connections = (connections_max + IDLE_CONNECTIONS + 64) / 14 * 16;
    let (module, service) = match setting.front {
        Front::Http => (None, http(setting, "")),
        Front::Tls => (None, http(setting, " ssl http2")),
        Front::H2c => (None, http(setting, " http2")),
        Front::Tcp => (stream_module(setting.program), stream(setting)),
    };
    let module = module.map_or(String::new(), |file| format!("load_module {};\n", file.display()));
    let text = format!(
        "{module}daemon off;
{user}worker_processes {workers};
pid {root}/nginx.pid;
error_log stderr warn;
events {{
    worker_connections {worker_connections};
}}
{service}"
    );
    let file = "nginx.conf";
    let arguments =
        ["-p", &setting.path(""), "-c", &setting.path(file), "-e", "stderr"].map(Into::into).into();
    Launch { file, text, arguments, ..Launch::default() }
}

/// HTTP, with `how` to listen for it.
fn http(setting: &Setting<'_>, how: &str) -> String {
    let Setting { listen, origin, directory, .. } = setting;
    let root = directory.display();
    let log = log(setting);
    let limit = limit(setting);
    let certificate = match setting.front {
        // Version 1.3 is none of its defaults before 1.23.4.
        Front::Tls => format!(
            "        ssl_certificate {};\n        ssl_certificate_key {};\n        \
             ssl_protocols TLSv1.2 TLSv1.3;\n",
            setting.certificate.certificate.display(),
            setting.certificate.key.display()
        ),
        Front::Http | Front::H2c | Front::Tcp => String::new(),
    };
    format!(
        r#"http {{
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
        listen {listen}{how} backlog=4096;
{certificate}        location / {{
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
    )
}

/// Any bytes.
fn stream(setting: &Setting<'_>) -> String {
    let Setting { listen, origin, .. } = setting;
    let log = log(setting);
    let limit = limit(setting);
    format!(
        r"stream {{
    log_format bench '$time_iso8601 $remote_addr $status $bytes_sent $session_time $upstream_addr';
    access_log {log};
    upstream origin {{
        server {origin}{limit};
    }}
    server {{
        listen {listen} backlog=4096;
        proxy_pass origin;
        proxy_connect_timeout 3s;
        proxy_timeout 120s;
    }}
}}
"
    )
}

/// Weir and Envoy collect lines too before they write them; nginx writes each by itself unless it is told.
fn log(setting: &Setting<'_>) -> String {
    setting.access_log.map_or("off".into(), |file| format!("{} bench buffer=64k flush=1s", file.display()))
}

fn limit(setting: &Setting<'_>) -> String {
    setting.origin_connections_max.map_or(String::new(), |max| format!(" max_conns={max}"))
}

/// The file that this binary has its `stream` in, where it isn't built in; Debian has it in a package of its own.
fn stream_module(program: &Path) -> Option<PathBuf> {
    let output = quiet(program).arg("-V").stderr(Stdio::piped()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut words = said.split_ascii_whitespace();
    words.clone().find(|&word| word == "--with-stream=dynamic")?;
    let modules = words.find_map(|word| word.strip_prefix("--modules-path="))?;
    Some(Path::new(modules).join("ngx_stream_module.so"))
}
