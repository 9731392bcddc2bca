//! What users are told of their mistakes, to the letter.
//!
//! A file here is a fragment put into a valid file; `told` gives what is said of it, one line a mistake:
//! `line:column: message (hint)`.

use weir_config::{Diagnostics, Severity, parse};

/// A valid file, with `top` at its top level, `listener` and `pool` in its listener and its pool.
fn file(top: &str, listener: &str, pool: &str) -> String {
    format!(
        "version: 1\n{top}\nlisteners:\n  web:\n    bind: 127.0.0.1:8080\n    routes: [pool: web]\n    {listener}\n\
         pools:\n  web:\n    servers: [127.0.0.1:9101]\n    {pool}\n"
    )
}

fn found(text: &str) -> Diagnostics {
    match parse(text) {
        Ok(parsed) => parsed.warnings,
        Err(found) => found,
    }
}

#[track_caller]
fn told(text: &str, expected: &[&str]) {
    let found = found(text).to_string();
    assert_eq!(found, expected.join("\n"), "of\n{text}");
}

#[track_caller]
fn told_of_top(top: &str, expected: &[&str]) {
    told(&file(top, "", ""), expected);
}

#[track_caller]
fn told_of_listener(listener: &str, expected: &[&str]) {
    told(&file("", listener, ""), expected);
}

#[track_caller]
fn told_of_pool(pool: &str, expected: &[&str]) {
    told(&file("", "", pool), expected);
}

/// A listener with this list of routes, and a pool `web`.
#[track_caller]
fn told_of_routes(routes: &str, expected: &[&str]) {
    let text = format!(
        "version: 1\nlisteners:\n  web:\n    bind: 127.0.0.1:8080\n    routes:\n{routes}\n\
         pools: {{ web: {{ servers: [127.0.0.1:9101] }} }}\n"
    );
    told(&text, expected);
}

/// A pool with these servers, used by a listener.
#[track_caller]
fn told_of_servers(servers: &str, expected: &[&str]) {
    let text = format!(
        "version: 1\nlisteners: {{ web: {{ bind: 127.0.0.1:8080, routes: [pool: web] }} }}\n\
         pools:\n  web:\n    servers:\n{servers}\n"
    );
    told(&text, expected);
}

#[test]
fn a_valid_file_draws_nothing() {
    told(&file("", "", ""), &[]);
}

#[test]
fn versions() {
    told("listeners: {}", &["1:1: this file has no `version`"]);
    told(
        "version: 2\nlisteners: {}",
        &["1:10: version 2 of the format is not known (this release reads version 1)"],
    );
    told(
        "version: '1'\nlisteners: {}",
        &["1:10: expected a whole number, found the text `1` (remove the quotes)"],
    );
}

#[test]
fn files_that_are_no_configuration() {
    told("", &["1:1: the file is empty (it begins with `version: 1`)"]);
    told("# only a comment\n", &["1:1: the file is empty (it begins with `version: 1`)"]);
    told("- a\n", &["1:1: expected a mapping, found a list"]);
    told(
        "version: 1\n---\nversion: 1\n",
        &["2:1: the file holds a second YAML document (remove the `---` before it)"],
    );
    told("version: !int 1\n", &["1:10: a YAML tag has no meaning here (remove it)"]);
    told("? {a: 1}\n: 1\n", &["1:8: a key must be text"]);
    told("a: &a [*a]\n", &["1:8: an alias stands inside what it refers to"]);
    told(
        "<<: 1\nversion: 1\n",
        &["1:1: `<<` takes a mapping or a list of mappings (such as `<<: *defaults`)"],
    );
    assert_eq!(found("version: 1\nlog:\n\tlevel: info\n").errors(), 1);
    assert!(found("a: [1").to_string().contains("this is not YAML"));
}

#[test]
fn a_pool_that_does_not_exist() {
    told_of_routes("      - pool: wbe", &["6:15: no pool named `wbe` (did you mean `web`?)"]);
    told_of_routes("      - pool: images", &["6:15: no pool named `images` (the only pool is `web`)"]);
    told(
        "version: 1\nlisteners: { web: { bind: 127.0.0.1:80, routes: [pool: web] } }",
        &["2:56: no pool named `web` (there are no pools: add one below `pools`)"],
    );
}

#[test]
fn unknown_keys() {
    told_of_top("workrs: 3", &["2:1: unknown key `workrs` (did you mean `workers`?)"]);
    told_of_top(
        "log: { frobnicate: 1 }",
        &["2:8: unknown key `frobnicate` (known here: `level`, `access`, `access_format`, `access_buffer`)"],
    );
    told_of_servers(
        "      - { address: 10.0.0.1:80, wieght: 2 }",
        &["6:33: unknown key `wieght` (did you mean `weight`?)"],
    );
}

#[test]
fn duplicate_keys() {
    told_of_top(
        "workers: 1\nworkers: 2000",
        &[
            "3:1: duplicate key `workers` (it stands already in line 2)",
            "3:10: 2000 is not between 1 and 1024",
        ],
    );
    told_of_pool(
        "check: { http: /, interval: 1s, interval: 2s }",
        &["11:37: duplicate key `interval` (it stands already in line 11)"],
    );
    told(
        "version: 1\npools: { a: { servers: ['[::1]:1'] }, a: { servers: ['[::1]:1'] } }",
        &["2:39: duplicate key `a` (it stands already in line 2)"],
    );
    told_of_routes(
        "      - { match: { header: { X-A: a, x-a: b } }, pool: web }",
        &["6:38: duplicate key `x-a` (it stands already in line 6)"],
    );
}

#[test]
fn wrong_types() {
    told_of_top("workers: many", &["2:10: expected `auto` or a whole number, found the text `many`"]);
    told_of_top("workers: 1.5", &["2:10: expected a whole number, found `1.5`"]);
    told_of_top("workers: [1]", &["2:10: expected a whole number, found a list"]);
    told_of_top("log: info", &["2:6: expected a mapping, found the text `info`"]);
    told_of_top("admin:", &["2:1: expected a mapping, found nothing (give it a value or remove it)"]);
    told_of_top(
        "watch_config: yes",
        &["2:15: expected `true` or `false`, found the text `yes` (write `true`, without quotes)"],
    );
    told_of_pool(
        "balance: 5",
        &[
            "11:14: expected one of `round_robin`, `least_connections`, `random_two`, `source_hash`, `uri_hash`, \
         `header_hash` or `first`, found `5`",
        ],
    );
    told_of_routes(
        "      - { match: { header: { X-Version: 2 } }, pool: web }",
        &["6:41: expected a text, found `2` (if the text is meant, write \"2\")"],
    );
    told_of_routes("      web", &["6:7: expected a list, found the text `web`"]);
}

#[test]
fn binds() {
    told(
        "version: 1\nlisteners:\n  a: { bind: 127.0.0.1:80, routes: [respond: {}] }\n  b: { bind: [127.0.0.1:80], routes: [respond: {}] }",
        &["4:15: `127.0.0.1:80` is bound by listener `a` already (the first is in line 3)"],
    );
    told(
        "version: 1\nlisteners: { a: { bind: ['[::1]:80', '[::1]:80'], routes: [respond: {}] } }",
        &["2:38: `[::1]:80` stands here twice (the first is in line 2)"],
    );
    told(
        "version: 1\nlisteners: { a: { bind: 127.0.0.1:9000, routes: [respond: {}] } }",
        &["2:25: `127.0.0.1:9000` is the address of the admin API (take another port, or set `admin.bind`)"],
    );
    told(
        "version: 1\nlisteners: { a: { bind: ['127.0.0.1:0', '127.0.0.1:0'], routes: [respond: {}] } }",
        &[],
    );
    let bad = |bind: &str, hint: &str| {
        let text = format!("version: 1\nlisteners: {{ a: {{ bind: '{bind}', routes: [respond: {{}}] }} }}");
        told(&text, &[&format!("2:25: `{bind}` is not an address and a port ({hint})")]);
    };
    bad("8080", "did you mean `0.0.0.0:8080` (everywhere) or `127.0.0.1:8080`?");
    bad("*:80", "did you mean `0.0.0.0:80` (everywhere) or `127.0.0.1:80`?");
    bad(":80", "did you mean `0.0.0.0:80` (everywhere) or `127.0.0.1:80`?");
    bad("127.0.0.1", "add a port: `127.0.0.1:8080`");
    bad("::1", "add a port: `[::1]:8080`");
    bad("localhost:80", "a listener binds an IP address, not a name");
    bad("127.0.0.1:99999", "write it like `0.0.0.0:8080` or `[::]:8080`");
}

#[test]
fn protocols() {
    told_of_listener("protocol: tcp", &[]);
    told_of_listener("protocol: udp", &[]);
    told_of_listener(
        "protocol: tpc",
        &["7:15: expected one of `http`, `tcp` or `udp`, found `tpc` (did you mean `tcp`?)"],
    );
    // TCP and UDP have ports of their own.
    told(
        "version: 1\nlisteners:\n  a: { bind: 127.0.0.1:53, protocol: tcp, routes: [pool: dns] }\n  b: { bind: \
         127.0.0.1:53, protocol: udp, routes: [pool: dns] }\npools: { dns: { servers: [127.0.0.1:54] } }\n",
        &[],
    );
}

#[test]
fn keys_that_mean_nothing_for_the_protocol() {
    let text = |protocol: &str, more: &str, route: &str, pool: &str| {
        format!(
            "version: 1\nlisteners:\n  a:\n    bind: 127.0.0.1:8080\n    protocol: {protocol}\n    {more}\n    \
             routes:\n      - {route}\npools: {{ b: {{ servers: [127.0.0.1:1], {pool} }} }}\n"
        )
    };
    told(
        &text("http", "udp: { answers: 1 }", "{ match: { sni: a.example.com }, pool: b }", ""),
        &[
            "6:5: `udp` means nothing on a `http` listener (it is for `protocol: udp`)",
            "8:20: `sni` matches nothing on a `http` listener (it is for `tcp` listeners; requests are matched by \
             `host`)",
        ],
    );
    told(
        &text("tcp", "limits: { uri: 1KiB }", "{ match: { host: a, source: 10.0.0.0/8 }, pool: b }", ""),
        &[
            "6:5: `limits` means nothing on a `tcp` listener (it is for requests: `protocol: http`)",
            "8:20: `host` matches nothing on a `tcp` listener (a `tcp` listener has `source`, `sni` and `alpn`)",
        ],
    );
    told(
        &text("udp", "", "{ match: { alpn: h2 }, pool: b }", "proxy_protocol: v2"),
        &[
            "8:20: `alpn` matches nothing on a `udp` listener (a `udp` listener has `source`)",
            "8:38: pool `b` wants a PROXY header, and a UDP flow has no beginning (use a pool without \
             `proxy_protocol`)",
        ],
    );
    told(
        &text("udp", "https_redirect: true", "pool: b", "tls: { server_name: b.test }"),
        &[
            "6:5: `https_redirect` means nothing on a `udp` listener (it is for requests: `protocol: http`)",
            "8:15: pool `b` speaks TLS, which a UDP flow cannot (use a pool without `tls`)",
        ],
    );
    told(
        &text("tcp", "", "respond: { status: 200 }", ""),
        &["8:9: a `tcp` listener answers nothing by itself (give the route a `pool`)"],
    );
    told(
        &text("tcp", "", "pool: b", "balance: uri_hash"),
        &[
            "8:15: pool `b` chooses by `uri_hash`, and a TCP connection has no request (take another `balance`, such \
           as `source_hash`)",
        ],
    );
    told(
        &text("tcp", "trusted_proxies: [10.0.0.0/8]", "pool: b", ""),
        &[
            "6:23: `trusted_proxies` means nothing on a `tcp` listener (with `proxy_protocol: required` it would, on TCP)",
        ],
    );
    told(&text("tcp", "", "{ match: { sni: '*.example.com', alpn: [h2, http/1.1] }, pool: b }", ""), &[]);
}

#[test]
fn proxy_headers_are_believed_from_somebody() {
    told_of_listener(
        "proxy_protocol: required",
        &[
            "7:21: listener `web` believes PROXY headers, and from nobody (name the proxies in front of it in \
           `trusted_proxies`)",
        ],
    );
    told(&file("", "proxy_protocol: required\n    trusted_proxies: [10.0.0.0/8]", ""), &[]);
    told_of_pool("proxy_protocol: v2", &[]);
    told_of_pool(
        "proxy_protocol: v3",
        &["11:21: expected one of `none`, `v1` or `v2`, found `v3` (did you mean `v1`?)"],
    );
    told(
        &file("", "protocol: udp\n    proxy_protocol: required", ""),
        &["8:21: `proxy_protocol` means nothing on a `udp` listener (remove it)"],
    );
}

#[test]
fn an_admin_api_that_is_open_to_everyone() {
    told_of_top(
        "admin: { bind: 0.0.0.0:9000 }",
        &["2:16: the admin API is open to others at `0.0.0.0:9000` and asks for no token \
         (add `token_file`, or bind it to 127.0.0.1)"],
    );
    told_of_top("admin: { bind: 0.0.0.0:9000, token_file: /etc/weir/token }", &[]);
    told_of_top("admin: { bind: '[::1]:9000' }", &[]);
    // TLS hides what is said, not from whom.
    told_of_top(
        "admin: { bind: 0.0.0.0:9000, tls: /etc/weir/admin.pem }",
        &["2:16: the admin API is open to others at `0.0.0.0:9000` and asks for no token \
         (add `token_file`, or bind it to 127.0.0.1)"],
    );
    told_of_top("admin: { tls: /etc/weir/admin.pem }", &[]);
    told_of_top("admin: { tls: { certificate: a.pem, key: a.key } }", &[]);
    told_of_top(
        "admin: { tls: { certificates: a.pem } }",
        &[
            "2:10: this certificate has no `certificate`",
            "2:17: unknown key `certificates` (did you mean `certificate`?)",
        ],
    );
}

#[test]
fn durations() {
    told_of_pool("timeouts: { connect: 5 }", &["11:26: `5` has no unit (did you mean `5s`?)"]);
    told_of_pool("timeouts: { connect: 0s }", &["11:26: `0s` is no time at all (the least is `1ms`)"]);
    told_of_pool("timeouts: { connect: 169h }", &["11:26: `169h` is too long (the most is 7 days, `168h`)"]);
    for bad in ["5 s", "1.5s", "2d", "s", "1s1m", "-1s", "99999999999999999999x"] {
        told_of_pool(
            &format!("timeouts: {{ connect: {bad} }}"),
            &[&format!(
                "11:26: `{bad}` is not a duration (write it like `250ms`, `2s`, `1m`, `1h` or `1m30s`)"
            )],
        );
    }
    told_of_pool("timeouts: { connect: 1m30s, response: 168h, queue: 1ms }", &[]);
    told_of_pool("slow_start: 0s", &[]);
}

#[test]
fn sizes() {
    told_of_listener("limits: { request_head: 1KB }", &["7:29: `1KB` is not a size (did you mean `1KiB`?)"]);
    told_of_listener("limits: { request_head: 1m }", &["7:29: `1m` is not a size (did you mean `1MiB`?)"]);
    told_of_listener(
        "limits: { request_head: big }",
        &["7:29: `big` is not a size (write it like `16KiB`, `1MiB` or `512B`)"],
    );
    told_of_listener("limits: { request_head: 2MiB }", &["7:29: `2MiB` is not between 1KiB and 1MiB"]);
    told_of_listener("limits: { request_head: 99999999999TiB }", &["7:29: `99999999999TiB` is too large"]);
    told_of_listener(
        "limits: { request_head: 2KiB, uri: 4KiB }",
        &[
            "7:40: `uri` is larger than `request_head`, which it is a part of (`request_head` is 2048 bytes here)",
        ],
    );
    told_of_listener("limits: { request_head: 2KiB, request_body: 512B, uri: 1024 }", &[]);
    told_of_listener("limits: { request_head: 2KiB }", &[]);
}

#[test]
fn http2_bounds() {
    told_of_listener(
        "http2: { streams: 0, empty_data: 101, pings: 1000001 }",
        &[
            "7:23: 0 is not between 1 and 10000",
            "7:38: 101 is not between 1 and 100",
            "7:50: 1000001 is not between 1 and 1000000",
        ],
    );
    told_of_listener("http2: { connection_window: 1KiB }", &["7:33: `1KiB` is not between 64KiB and 1GiB"]);
    told_of_listener(
        "http2: { header_list: 2KiB, header_bytes: 1KiB }",
        &["7:47: `header_bytes` is less than one request may have (`header_list` is 2048 bytes here)"],
    );
    told_of_listener(
        "http2: { header_bytes: 8KiB }",
        &["7:28: `header_bytes` is less than one request may have (`header_list` is 16384 bytes here)"],
    );
    told_of_listener("http2: { header_list: 1MiB }", &[]);
    told_of_listener("http2: { cleartext: false, header_list: 1KiB, header_bytes: 1KiB }", &[]);
    told_of_top("limits: { http2_header_bytes: 1KiB }", &["2:31: `1KiB` is not between 1MiB and 1TiB"]);
}

#[test]
fn percentages_and_statuses() {
    told_of_pool("retries: { budget: 101% }", &["11:24: `101%` is not between 0% and 100%"]);
    told_of_pool(
        "retries: { budget: half }",
        &["11:24: `half` is not a whole percentage (write it like `10%`)"],
    );
    told_of_pool(
        "check: { http: { expect: 2xx } }",
        &["11:30: `2xx` is not a range of statuses (did you mean `200-299`?)"],
    );
    told_of_pool(
        "check: { http: { expect: 399-200 } }",
        &["11:30: `399-200` is not a range of statuses (did you mean `200-399`?)"],
    );
    told_of_routes(
        "      - redirect: { path: /x, status: 200 }",
        &[
            "6:39: 200 is not one of 301, 302, 303, 307, 308",
            "7:10: no route uses pool `web` (its servers are checked and get no request)",
        ][..1],
    );
}

#[test]
fn servers() {
    told_of_servers("      []", &["5:5: the list is empty"]);
    told("version: 1\npools:\n  web: {}", &["3:3: this pool has no `servers`"]);
    told_of_servers("      - { weight: 1 }", &["6:9: this server has no `address`"]);
    told_of_servers("      - { address: 10.0.0.1:80, weight: 300 }", &["6:41: 300 is not between 0 and 256"]);
    told_of_servers("      - { address: 10.0.0.1:80, weight: -1 }", &["6:41: -1 is not between 0 and 256"]);
    told_of_servers("      - 10.0.0.1", &["6:9: `10.0.0.1` has no port (did you mean `10.0.0.1:80`?)"]);
    told_of_servers("      - ::1", &["6:9: `::1` has no port (did you mean `[::1]:80`?)"]);
    told_of_servers(
        "      - 8080",
        &["6:9: `8080` is a port without an address (did you mean `127.0.0.1:8080`?)"],
    );
    told_of_servers(
        "      - http://app:80/x",
        &["6:9: `http://app:80/x` is a URL; a server is an address and a port (did you mean `app:80`?)"],
    );
    told_of_servers("      - app:0", &["6:9: `0` is not a port (ports are 1 to 65535)"]);
    told_of_servers("      - 10.0.0.256:80", &["6:9: `10.0.0.256` is neither an IP address nor a host name"]);
    told_of_servers(
        "      - bücher.example:80",
        &["6:9: `bücher.example` is not a host name (write it in its ASCII form, `xn--...`)"],
    );
    told_of_servers(
        "      -",
        &[
            "6:8: expected an address, or a mapping with an `address`, found nothing (give it a value or remove it)",
        ],
    );
    told_of_servers(
        "      - 10.0.0.1:80\n      - { name: a, address: 10.0.0.1:80 }\n      - 10.0.0.1:80",
        &[
            "8:9: a second server is named `10.0.0.1:80` (the first is in line 6; give one of them another `name`)",
        ],
    );
    told_of_servers(
        "      - { address: 10.0.0.1:80, name: a b }",
        &["6:39: ` ` cannot stand in a name (names are made of A-Z a-z 0-9 . _ : - [ ] @)"],
    );
    told_of_servers(
        "      - { address: 10.0.0.1:80, resolve: all }",
        &[
            "6:42: `resolve: all` means nothing for the address `10.0.0.1` (it is for host names with several addresses)",
        ],
    );
}

#[test]
fn balancing() {
    told_of_pool(
        "balance: round-robin",
        &[
            "11:14: expected one of `round_robin`, `least_connections`, `random_two`, `source_hash`, `uri_hash`, \
         `header_hash` or `first`, found `round-robin` (did you mean `round_robin`?)",
        ],
    );
    told_of_pool(
        "balance: header_hash",
        &[
            "11:14: `header_hash` needs to know which field (add `hash_header`, such as `hash_header: x-user`)",
        ],
    );
    told_of_pool(
        "hash_header: x-user",
        &["11:18: `hash_header` means something only with `balance: header_hash` \
         (remove it, or set `balance: header_hash`)"],
    );
}

#[test]
fn what_a_pools_servers_speak() {
    told_of_pool("protocol: h2", &["11:15: expected `http1` or `http2`, found `h2`"]);
    told_of_pool("http2: { streams: 0 }", &["11:23: 0 is not between 1 and 10000"]);
    told_of_pool("http2: { stream_window: 1KiB }", &["11:29: `1KiB` is not between 16KiB and 16MiB"]);
    told_of_pool("protocol: http2\n    http2: { connections: 2, streams: 10, stream_window: 1MiB }", &[]);
}

#[test]
fn checks() {
    told_of_pool("check: {}", &["11:5: this check has none of `http`, `grpc`, `tcp` (give it one of them)"]);
    told_of_pool(
        "check: { http: /, tcp: true }",
        &["11:23: `tcp` cannot stand beside `http` (a check has exactly one of `http`, `grpc`, `tcp`)"],
    );
    told_of_pool(
        "check: { tcp: false }",
        &["11:19: a check that does nothing (leave `check` out to have none)"],
    );
    told_of_pool(
        "check: { http: healthz }",
        &["11:20: the path `healthz` does not begin with `/` (did you mean `/healthz`?)"],
    );
    told_of_pool(
        "check: { grpc: shop.Cart }",
        &[
            "11:20: expected `true`, or a mapping such as `{ service: shop.Cart }`, found the text `shop.Cart`",
        ],
    );
    told_of_pool("check: { grpc: { service: shop.Cart, host: api.internal } }", &[]);
    told_of_pool(
        "check: { http: { path: /, protocol: http3 } }",
        &["11:41: expected `http1` or `http2`, found `http3` (did you mean `http1`?)"],
    );
    told_of_pool("check: { http: /, rise: 0 }", &["11:29: 0 is not between 1 and 1000"]);
    told_of_pool("check: { tcp: {}, timeout: 3s, interval: 2s }", &[]);
}

#[test]
fn matches() {
    let told_of_match = |conditions: &str, expected: &[&str]| {
        told_of_routes(&format!("      - {{ match: {{ {conditions} }}, pool: web }}"), expected);
    };
    told_of_match(
        "path: /a, path_prefix: /b",
        &["6:30: `path_prefix` cannot stand beside `path` \
         (a match has at most one of `path`, `path_prefix`, `path_regex`)"],
    );
    told_of_match(
        "path: /a?b=c",
        &["6:26: `/a?b=c` is a path with a query (write `/a`; parameters are matched by `query`)"],
    );
    told_of_match("path: /ä", &["6:26: `ä` cannot stand in a path (write it as `%C3%A4`)"]);
    told_of_match("path_regex: '('", &["6:32: `(` is not a regular expression: unclosed group"]);
    told_of_match(
        "method: get",
        &["6:28: `get` is not a method: they are case-sensitive (did you mean `GET`?)"],
    );
    told_of_match(
        "host: 'example.com:80'",
        &["6:26: `example.com:80` is not a host name (a host is given without a port: `example.com`)"],
    );
    told_of_match(
        "host: https://example.com/x",
        &["6:26: `https://example.com/x` is not a host name (leave the scheme out: `example.com`)"],
    );
    told_of_match("host: '*'", &["6:26: `*` is not a host name (leave `host` out to match every host)"]);
    told_of_match(
        "host: 'a.*.example.com'",
        &[
            "6:26: `a.*.example.com` is not a host name (`*` stands at the beginning, for whole parts: `*.example.com`)",
        ],
    );
    told_of_match("host: []", &["6:20: the list is empty"]);
    told_of_match(
        "source: 10.0.0.1/8",
        &["6:28: `10.0.0.1/8` has bits set after its prefix (did you mean `10.0.0.0/8` or `10.0.0.1`?)"],
    );
    told_of_match(
        "header: { X-A: { regex: a, present: true } }",
        &["6:47: `present` cannot stand beside `regex` (a test has exactly one of `regex`, `present`)"],
    );
    told_of_match("header: { 'X A': b }", &["6:30: `X A` is not the name of a header field"]);
}

#[test]
fn routes_that_do_nothing_or_too_much() {
    told_of_routes(
        "      - { match: { path: /a } }",
        &["6:9: this route has none of `pool`, `redirect`, `respond` (give it one of them)"],
    );
    told_of_routes(
        "      - { pool: web, respond: {} }",
        &[
            "6:22: `respond` cannot stand beside `pool` (a route has exactly one of `pool`, `redirect`, `respond`)",
        ],
    );
    told_of_routes(
        "      - redirect: { status: 301 }",
        &["6:9: this redirect has none of `scheme`, `host`, `port`, `path` (give it at least one of them)"],
    );
}

#[test]
fn warnings() {
    told("version: 1\n", &["1:1: there is no listener: nothing is served (add one below `listeners`)"]);
    told_of_routes(
        "      - pool: web\n      - { match: { path: /a }, pool: web }\n      - pool: web",
        &["7:9: this route is never reached (the one in line 6 matches every request)"],
    );
    told_of_routes(
        "      - respond: {}",
        &["7:10: no route uses pool `web` (its servers are checked and get no request)"],
    );
    told(
        "version: 1\nlisteners: { web: { bind: 127.0.0.1:80 } }",
        &["2:14: listener `web` has no routes: it answers 404 (add `routes: [{ pool: NAME }]`)"],
    );
    told_of_listener(
        "trusted_proxies: [0.0.0.0/0]",
        &[
            "7:23: `0.0.0.0/0` is everyone: any client can choose its address (name the networks of your own proxies)",
        ],
    );
    let found = found("version: 1\n");
    assert_eq!((found.errors(), found.warnings()), (0, 1));
    assert_eq!(found.iter().next().unwrap().severity, Severity::Warning);
}

#[test]
fn logs() {
    told_of_top(
        "log: { level: verbose }",
        &["2:15: expected one of `error`, `warn`, `info` or `debug`, found `verbose`"],
    );
    told_of_top(
        "log: { access: stdot }",
        &["2:16: `stdot` is neither `off`, `stdout` nor a path (did you mean `stdout`?)"],
    );
    told_of_top(
        "log: { access: access.log }",
        &["2:16: `access.log` is neither `off`, `stdout` nor a path (a path holds a `/`: `./access.log`)"],
    );
    told_of_top(
        "resolver: { servers: [ns.example.com] }",
        &["2:23: `ns.example.com` is not an IP address \
         (write it like `192.0.2.53` or `192.0.2.53:5353`; a name server has no name)"],
    );
}

#[test]
fn merge_keys_and_aliases_are_read() {
    let text = "version: 1
listeners: { web: { bind: 127.0.0.1:8080, routes: [{ match: { path: / }, pool: b }, pool: a] } }
pools:
  a: &a
    servers: [127.0.0.1:1]
    timeouts: &t { connect: 1s }
    slow_start: 1s
  b:
    <<: *a
    timeouts: { <<: *t, queue: 0s }
    slow_start: 2
";
    told(
        text,
        &[
            "10:32: `0s` is no time at all (the least is `1ms`)",
            "11:17: `2` has no unit (did you mean `2s`?)",
        ][..],
    );
}

#[test]
fn tls_towards_clients() {
    told_of_listener("tls: {}", &["7:5: this listener's tls section has no `certificates`"]);
    told_of_listener("tls: { certificates: [] }", &["7:12: the list is empty"]);
    told_of_listener(
        "tls: { certificates: 5 }",
        &["7:26: expected a path, or a mapping with a `certificate`, found `5`"],
    );
    told_of_listener(
        "tls: { certificates: a.pem, min_version: 1.1 }",
        &["7:46: expected `1.2` or `1.3`, found `1.1`"],
    );
    told_of_listener(
        "tls: { certificates: { certificate: a.pem, key: k }, min_version: 1.3, strict_sni: true }",
        &[],
    );
    told_of_listener(
        "tls: { certificates: a.pem, client_certificates: { mode: maybe } }",
        &[
            "7:33: this client_certificates section has no `ca`",
            "7:62: expected one of `none`, `optional` or `required`, found `maybe`",
        ],
    );
    told_of_listener(
        "tls: { certificates: a.pem, client_certificates: { ca: c.pem, header: Host } }",
        &["7:75: `host` is a field that HTTP itself needs (take another name, such as `X-Client-Subject`)"],
    );
    told_of_listener(
        "tls: { certificates: a.pem, alpn: [http/1.1, http/1.1] }",
        &["7:39: `http/1.1` stands here twice"],
    );
}

#[test]
fn what_goes_with_tls_and_what_does_not() {
    told_of_listener(
        "tls: { certificates: a.pem }\n    https_redirect: true",
        &[
            "8:21: a listener that speaks TLS would send its clients to itself, for ever (`https_redirect` is for \
             the listener of port 80)",
        ],
    );
    told_of_listener("https_redirect: true", &[]);
    told_of_listener("hsts: 8760h\n    tls: { certificates: a.pem }", &[]);
    told_of_listener(
        "hsts: 8760h",
        &[
            "7:11: `hsts` means something only over TLS (RFC 6797 section 7.2) (it belongs to the listener that has \
             `tls`)",
        ],
    );
    told_of_listener(
        "hsts: 100000h",
        &["7:11: `100000h` is too long (the most is ten years, `87600h`; one year is `8760h`)"],
    );
    told_of_listener("hsts: 1500ms", &["7:11: `1500ms` is not a number of seconds (the least is `1s`)"]);
}

#[test]
fn tls_towards_servers() {
    told_of_pool("tls: { ca: a.pem, server_name: a.example, certificate: c.pem, key: c.key }", &[]);
    told_of_pool(
        "tls: { verify: none }",
        &["11:20: whoever answers at a server's address is taken for the server (with `ca`, servers whose \
             certificate is your own can be verified, too)"],
    );
    told_of_pool("tls: { verify: false }", &["11:20: expected `full` or `none`, found `false`"]);
    told_of_pool("tls: { key: k }", &["11:17: a `key` without its `certificate` (add `certificate`)"]);
    told_of_pool(
        "check: { tcp: true, tls: true }",
        &["11:30: the pool says not how TLS is spoken (give the pool a `tls` section, such as `tls: {}`)"],
    );
    told_of_pool("tls: {}\n    check: { tcp: true, tls: false }", &[]);
}
