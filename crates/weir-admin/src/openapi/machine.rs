//! The shapes of what is told of the machine, beside the code in `system` that reads it.

use serde_json::{Value, json};

use super::reference;
use super::schemas::{boolean, number, object, string};

/// Every schema by name.
pub(super) fn all() -> Value {
    let (hypervisors, firmwares) = crate::system::words();
    let list_of = |schema: &str| json!({ "type": "array", "items": reference(schema) });
    json!({
        "System": object(&[
            ("version", string("The version that runs")),
            ("uptime_seconds", number("Since the start of this process")),
            ("machine_uptime_seconds", maybe(number("Since the start of the kernel"))),
            ("hostname", maybe(string("What the machine calls itself"))),
            ("kernel", maybe(string("The release of the kernel"))),
            ("hypervisor", json!({ "enum": hypervisors, "description": "What the machine runs on" })),
            ("firmware", json!({ "enum": firmwares, "description": "What started the machine" })),
            ("cpus", reference("Cpus")),
            ("memory", reference("Memory")),
            ("interfaces", list_of("Interface")),
            ("disks", list_of("Disk")),
            ("appliance", json!({
                "type": ["object", "null"],
                "description": "What process 1 of the appliance has come to: slot, boot, configuration, state, network, \
                                clock, child, notices; null elsewhere",
            })),
        ]),
        "Cpus": object(&[
            ("model", maybe(string("As the first one calls itself"))),
            ("count", number("How many the kernel uses")),
        ]),
        "Memory": object(&[
            ("total_bytes", maybe(number("What the kernel has"))),
            ("available_bytes", maybe(number("What programs could have of it without swapping"))),
        ]),
        "Interface": object(&[
            ("name", string("The kernel's name")),
            ("path", maybe(string("The place on the bus, as system.interfaces.NAME.match.path takes it"))),
            ("driver", maybe(string("As system.interfaces.NAME.match.driver takes it; or its kind, if it is no device"))),
            ("module", maybe(string("The kernel's module that the driver is in"))),
            ("mac", maybe(string("The hardware address"))),
            ("mtu", maybe(number("Bytes of the largest packet"))),
            ("up", boolean("Whether it is switched on and its cable, real or virtual, is in")),
            ("speed_mbps", maybe(number("Megabits a second, where the card says"))),
            ("rx_queues", number("Queues of what comes in")),
            ("tx_queues", number("Queues of what goes out")),
            ("addresses", json!({
                "type": "array",
                "items": { "type": "string" },
                "description": "With the length of their prefix",
            })),
        ]),
        "Disk": object(&[
            ("name", string("The kernel's name")),
            ("path", maybe(string("The place on the bus of what it is attached to"))),
            ("driver", maybe(string("Of what it is attached to"))),
            ("module", maybe(string("The kernel's module that the driver is in"))),
            ("size_bytes", maybe(number("Its size"))),
        ]),
    })
}

/// Null where the kernel does not tell.
fn maybe(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}
