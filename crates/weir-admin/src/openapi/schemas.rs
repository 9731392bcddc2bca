//! The shapes of bodies, beside the code in `view` that writes them; a test holds the two together.

use serde_json::{Map, Value, json};
use weir_config::model::Weight;
use weir_proxy::stats::{ListenerTotals, PoolTotals, Row, ServerTotals, WorkerTotals};

use super::reference;
use crate::view::STATES;

/// Every schema by name.
pub(super) fn all() -> Value {
    let states = STATES.map(|(_, word)| word);
    json!({
        "Alive": object(&[("status", json!({ "const": "alive" }))]),
        "Readiness": object(&[("status", json!({ "enum": ["starting", "serving", "draining"] }))]),
        "Stats": object(&[
            ("version", string("The version that runs")),
            ("generation", number("Grows with each change of the snapshot that is served")),
            ("phase", json!({ "enum": ["starting", "serving", "draining"] })),
            ("uptime_seconds", number("Since the start")),
            ("last_reload", reference("LastReload")),
            ("sessions_limit", number("The most client connections at once")),
            ("workers", json!({ "type": "array", "items": reference("Worker") })),
            ("listeners", map_of("Listener")),
            ("pools", map_of("Pool")),
            ("access_log", object(&[
                ("lines", number("Lines accepted")),
                ("dropped", number("Lines dropped because the writer was behind")),
                ("failed", number("Lines that could not be written")),
                ("write_errors", number("Writes that failed")),
            ])),
        ]),
        "LastReload": object(&[
            ("succeeded", boolean("Whether it took effect")),
            ("at", time("When it was done; the start, while there was none")),
            ("error", json!({ "type": ["string", "null"], "description": "Why it was refused" })),
            ("reloads_succeeded", number("Reloads that took effect, since the start")),
            ("reloads_failed", number("Reloads that were refused, since the start")),
        ]),
        "Worker": object(&[
            ("worker", number("Its number, from 0")),
            ("sessions_open", number("Client connections open")),
            ("counters", counters(&WorkerTotals::default().rows())),
        ]),
        "Listener": object(&[
            ("bind", json!({ "type": "array", "items": { "type": "string" }, "description": "Addresses bound" })),
            ("sessions_open", number("Client connections open")),
            ("flows_open", number("UDP flows that have not ended")),
            ("counters", counters(&ListenerTotals::default().rows())),
        ]),
        "Pools": object(&[("pools", map_of("Pool"))]),
        "Pool": object(&[
            ("balance", string("How a server is chosen, as in the configuration file")),
            ("queue_length", number("Requests that wait for a server with room")),
            ("counters", counters(&PoolTotals::default().rows())),
            ("servers", map_of("Server")),
        ]),
        "Server": object(&[
            ("name", string("Its name, else its address")),
            ("address", string("As configured")),
            ("resolved", json!({
                "type": ["string", "null"],
                "description": "The address in use; null while the host name has none",
            })),
            ("weight", weight()),
            ("state", json!({ "enum": states, "description": "What the operator wants" })),
            ("health", json!({ "enum": ["up", "down", "unknown"], "description": "The result of checks" })),
            ("ejected", boolean("Whether failures of its traffic have taken it out for now")),
            ("backup", boolean("Whether it is used only while no other server can be")),
            ("in_flight", number("Exchanges in flight")),
            ("since", time("When health last changed")),
            ("last_check", json!({ "oneOf": [reference("LastCheck"), { "type": "null" }] })),
            ("counters", counters(&ServerTotals::default().rows())),
        ]),
        "LastCheck": object(&[
            ("at", time("When it ended")),
            ("passed", boolean("Whether the server passed")),
            ("detail", string("What the server answered, or what was wrong")),
            ("duration_ms", json!({ "type": "number" })),
        ]),
        "Change": {
            "type": "object",
            "properties": { "state": { "enum": states }, "weight": weight() },
            "minProperties": 1,
            "additionalProperties": false,
        },
        "Applied": object(&[
            ("generation", number("The generation that serves it")),
            ("saved", boolean("Whether the file that the next start reads has it, too")),
            ("notes", json!({
                "type": "array",
                "items": { "type": "string" },
                "description": "What of it waits for the next start, and why it was not saved where that was wanted",
            })),
            ("warnings", json!({ "type": "array", "items": reference("Diagnostic") })),
        ]),
        "Verdict": object(&[
            ("valid", boolean("Whether it would be taken")),
            ("errors", number("How many errors there are, shown or not")),
            ("warnings", number("How many warnings there are, shown or not")),
            ("diagnostics", json!({ "type": "array", "items": reference("Diagnostic") })),
        ]),
        "Diagnostic": object(&[
            ("severity", json!({ "enum": ["error", "warning"] })),
            ("message", string("What is wrong, in one line")),
            ("line", number("From 1")),
            ("column", number("From 1, in characters")),
            ("span", object(&[("start", number("In bytes")), ("end", number("In bytes"))])),
            ("hint", json!({ "type": ["string", "null"], "description": "What to do about it" })),
            ("path", string("The place in the configuration, such as `pools.web.servers[1].weight`")),
        ]),
        "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": string("A URN for each kind of problem"),
                "title": string("What kind of problem it is"),
                "status": number("The status of the response"),
                "detail": string("What is wrong with this request"),
                "diagnostics": {
                    "type": "array",
                    "items": reference("Diagnostic"),
                    "description": "Only of a configuration that is not valid",
                },
            },
        },
    })
}

/// An object that always has all of `fields`.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
    let required: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<_, _> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn counters(rows: &[Row]) -> Value {
    let fields: Vec<_> = rows.iter().map(|row| (row.name, number(row.help))).collect();
    object(&fields)
}

fn map_of(schema: &str) -> Value {
    json!({ "type": "object", "additionalProperties": reference(schema), "description": "By name" })
}

pub(super) fn string(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

pub(super) fn number(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

pub(super) fn boolean(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn weight() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": Weight::MAX })
}
