//! The schema says what the parser does: the same keys, the same bounds, the model's defaults.

use serde_json::{Value, json};
use weir_config::{json_schema, parse, reference_markdown};

/// A file in which every mapping of the schema stands, as JSON, which is YAML.
fn full_file() -> Value {
    json!({
        "version": 1,
        "admin": {}, "log": {}, "resolver": {}, "limits": {}, "timeouts": {},
        "listeners": { "web": {
            "bind": "127.0.0.1:8080",
            "forwarded": {}, "timeouts": {}, "limits": {}, "http2": {},
            "tls": { "certificates": [{ "certificate": "a.pem" }], "client_certificates": { "ca": "ca.pem" } },
            "routes": [
                { "match": { "header": { "X": { "present": true } }, "query": { "x": { "present": true } } }, "pool": "web" },
                { "match": { "path": "/r" }, "redirect": { "path": "/" } },
                { "match": { "path": "/s" }, "respond": {} },
                { "match": { "path": "/t" }, "pool": "grpc" },
                { "pool": "tcp" },
            ],
        }, "dns": {
            "bind": "127.0.0.1:8081", "protocol": "udp", "udp": {}, "routes": [{ "pool": "tcp" }],
        } },
        "system": {
            "interfaces": { "lan": {
                "match": { "driver": "virtio_net" },
                "routes": [{ "to": "10.0.0.0/8", "via": "192.0.2.1" }],
            } },
            "time": {},
        },
        "pools": {
            "web": {
                "servers": [{ "address": "127.0.0.1:9101" }],
                "check": { "http": {} }, "tls": {},
                "timeouts": {}, "limits": {}, "retries": {}, "ejection": {}, "http2": {},
            },
            "grpc": { "servers": ["127.0.0.1:9103"], "check": { "grpc": {} } },
            "tcp": { "servers": ["127.0.0.1:9102"], "check": { "tcp": {} } },
        },
    })
}

fn errors(file: &Value) -> Vec<String> {
    match parse(&file.to_string()) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(|diagnostic| diagnostic.message.clone()).collect(),
    }
}

/// Calls `visit` with the JSON pointer of every mapping in the file and the schema of that mapping.
fn walk(file: &Value, schema: &Value, pointer: &str, visit: &mut dyn FnMut(&str, &Value)) {
    if let Some(shapes) = schema["anyOf"].as_array().filter(|_| schema["type"].is_null()) {
        for shape in shapes {
            walk(file, shape, pointer, visit);
        }
        return;
    }
    match file {
        Value::Object(entries) if schema["type"] == "object" => {
            if schema["additionalProperties"] == json!(false) {
                visit(pointer, schema);
            }
            for (key, value) in entries {
                let below = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
                walk(value, below, &format!("{pointer}/{key}"), visit);
            }
        }
        Value::Array(items) if schema["type"] == "array" => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &schema["items"], &format!("{pointer}/{index}"), visit);
            }
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {}
    }
}

fn sections() -> Vec<(String, Value)> {
    let mut sections = Vec::new();
    let mut visit = |pointer: &str, schema: &Value| sections.push((pointer.to_owned(), schema.clone()));
    walk(&full_file(), &json_schema(), "", &mut visit);
    sections
}

/// The file with `key` of the mapping at `pointer` set to `value`.
fn with(pointer: &str, key: &str, value: &Value) -> Value {
    let mut file = full_file();
    file.pointer_mut(pointer).expect("a pointer into this file")[key] = value.clone();
    file
}

#[test]
fn the_file_that_these_tests_vary_is_valid_and_has_every_section() {
    assert_eq!(errors(&full_file()), Vec::<String>::new());
    let count = |schema: &Value| schema.to_string().matches("\"additionalProperties\":false").count();
    // Servers and routes stand twice or more in the file, the tests of `header` and `query` are alike,
    // and a certificate is described as one, as one of a list, and as the admin API's.
    let mut shapes: Vec<_> =
        sections().into_iter().map(|(_, schema)| schema["properties"].to_string()).collect();
    shapes.sort();
    shapes.dedup();
    assert_eq!(count(&json_schema()), shapes.len() + 3, "a section is missing in `full_file`");
}

#[test]
fn every_key_of_the_schema_is_known_to_the_parser() {
    let mut keys = 0;
    for (pointer, schema) in sections() {
        for key in schema["properties"].as_object().unwrap().keys() {
            let told = errors(&with(&pointer, key, &json!([{ "no": ["value"] }])));
            let unknown = format!("unknown key `{key}`");
            assert!(!told.contains(&unknown), "{pointer}/{key}: {told:?}");
            assert!(!told.is_empty(), "{pointer}/{key} takes anything");
            keys += 1;
        }
    }
    assert!(keys > 90, "only {keys} keys in the schema");
}

/// The parser names all the keys it knows when one is unlike any of them.
#[test]
fn every_key_of_the_parser_is_in_the_schema() {
    for (pointer, schema) in sections() {
        let file = with(&pointer, "qqqqqqqqqqqqqqqqqqqqqqqq", &json!(1));
        let found = parse(&file.to_string()).unwrap_err();
        let hint = found.iter().find_map(|diagnostic| diagnostic.hint.clone()).unwrap();
        let mut known: Vec<_> = hint.split('`').skip(1).step_by(2).map(String::from).collect();
        known.sort();
        let mut listed: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        listed.sort();
        assert_eq!(known, listed, "in {pointer}");
    }
}

#[test]
fn every_default_of_the_schema_is_what_an_absent_key_means() {
    let plain = parse(&full_file().to_string()).unwrap().config;
    let mut defaults = 0;
    for (pointer, schema) in sections() {
        for (key, property) in schema["properties"].as_object().unwrap() {
            let Some(default) = property.get("default") else { continue };
            if ["listeners", "pools", "routes", "header", "query", "interfaces"].contains(&key.as_str()) {
                continue;
            }
            if pointer == "/listeners/dns" && key == "protocol" {
                continue; // its section `udp` says that it is not the usual one
            }
            let file = with(&pointer, key, default);
            let parsed = parse(&file.to_string()).unwrap_or_else(|found| panic!("{pointer}/{key}: {found}"));
            assert_eq!(parsed.config, plain, "{pointer}/{key} = {default}");
            defaults += 1;
        }
    }
    assert!(defaults > 50, "only {defaults} defaults in the schema");
}

#[test]
fn every_key_has_a_description_and_a_default_or_a_reason_for_none() {
    let without_default = [
        "version",
        "token_file",
        "bind",
        "pool",
        "redirect",
        "respond",
        "scheme",
        "host",
        "port",
        "path",
        "path_prefix",
        "path_regex",
        "method",
        "source",
        "regex",
        "present",
        "hash_header",
        "servers",
        "check",
        "address",
        "name",
        "http",
        "tcp",
        "interval_changing",
        "body_contains",
        "certificate",
        "certificates",
        "key",
        "ocsp",
        "ca",
        "crl",
        "header",
        "hsts",
        "grpc",
        "protocol", // of an HTTP check
        "server_name",
        "tls",
        "sni",
        "alpn",
        "answers",
        "header_list",
        "hostname",
        "name_servers",
        "mac",
        "driver",
        "dhcp",
        "addresses",
        "gateways",
        "to",
        "via",
        "mtu",
    ];
    for (pointer, schema) in sections() {
        for (key, property) in schema["properties"].as_object().unwrap() {
            let described = property["description"]
                .as_str()
                .is_some_and(|text| text.ends_with('.') || text.ends_with(".`"));
            assert!(described, "{pointer}/{key}: {property}");
            let is_section = property["type"] == "object" && property.get("properties").is_some();
            let excused = is_section || without_default.contains(&key.as_str());
            assert!(
                excused || property.get("default").is_some(),
                "{pointer}/{key} has no default: {property}"
            );
        }
    }
}

#[test]
fn bounds_of_numbers_are_those_of_the_parser() {
    for (pointer, schema) in sections() {
        for (key, property) in schema["properties"].as_object().unwrap() {
            let Some((min, max)) = property["minimum"].as_u64().zip(property["maximum"].as_u64()) else {
                continue;
            };
            let refused = |number: u64| {
                let message = format!("{number} is not between {min} and {max}");
                errors(&with(&pointer, key, &json!(number))).contains(&message)
            };
            assert!(!refused(min) && !refused(max), "{pointer}/{key}");
            assert!(refused(max + 1), "{pointer}/{key}");
            assert!(min == 0 || refused(min - 1), "{pointer}/{key}");
        }
    }
}

#[test]
fn the_reference_has_every_key() {
    let reference = reference_markdown();
    for (pointer, schema) in sections() {
        for (key, property) in schema["properties"].as_object().unwrap() {
            assert!(reference.contains(&format!("| `{key}` | ")), "{pointer}/{key}");
            let doc = property["description"]
                .as_str()
                .unwrap()
                .split(" Default: ")
                .next()
                .unwrap()
                .replace('|', "\\|");
            assert!(reference.contains(&doc), "{pointer}/{key}");
        }
    }
}
