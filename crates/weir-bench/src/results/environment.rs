//! What machine a figure is of: processor, memory, kernel, hypervisor, cards.
//!
//! An appliance says it itself (`GET /api/v1/system`); [`Environment::here`] reads the same of this machine. What isn't
//! known is absent, never guessed.

use std::fs;
use std::path::Path;

use rustix::system::uname;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// What serves on it, with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What it runs on, if that is known to be no bare machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypervisor: Option<String>,
    /// BIOS or UEFI, and whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// The kernel's release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The processor's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// How many processors there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processors: Option<u64>,
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Network cards but the loopback.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<Card>,
}

/// A network card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Card {
    /// The kernel's name for it.
    pub name: String,
    /// Its driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Bytes of the largest packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u64>,
    /// Megabits a second, as the card says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_mbit: Option<u64>,
    /// Queues for what is received, and for what is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_queues: Option<u64>,
    /// The same for what is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_queues: Option<u64>,
    /// What it does instead of the processor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offloads: Vec<String>,
}

/// The most cards that are remembered of a machine.
const CARDS_MAX: usize = 32;

impl Environment {
    /// This machine, as `/proc` and `/sys` have it.
    pub fn here() -> Self {
        let processors = read("/proc/cpuinfo");
        let memory = value_of(&read("/proc/meminfo"), "MemTotal")
            .and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok());
        let count = processors.lines().filter(|line| line.starts_with("processor")).count();
        Self {
            program: None,
            hypervisor: hypervisor(&processors),
            firmware: None,
            kernel: Some(uname().release().to_string_lossy().into_owned()),
            processor: value_of(&processors, "model name"),
            processors: u64::try_from(count).ok().filter(|&count| count > 0),
            memory_bytes: memory.map(|kib| kib << 10),
            cards: cards(Path::new("/sys/class/net")),
        }
    }

    /// What Weir says of the machine that it is on, asked at `host`: the card that has this address comes first. Unknown
    /// parts are ignored, missing ones are absent.
    pub fn of_system(system: &Value, host: &str) -> Self {
        let interfaces = system["interfaces"].as_array().map_or(&[][..], Vec::as_slice);
        let has_host = |card: &&Value| {
            let mut addresses = card["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
            addresses.any(|address| address.split('/').next() == Some(host))
        };
        let (first, others): (Vec<&Value>, Vec<&Value>) =
            interfaces.iter().take(CARDS_MAX).partition(has_host);
        Self {
            program: text(&system["version"]).map(|version| format!("weir {version}")),
            hypervisor: text(&system["hypervisor"]).filter(|name| name != "none"),
            firmware: text(&system["firmware"]).filter(|name| name != "none"),
            kernel: text(&system["kernel"]),
            processor: text(&system["cpus"]["model"]),
            processors: system["cpus"]["count"].as_u64(),
            memory_bytes: system["memory"]["total_bytes"].as_u64(),
            cards: first.into_iter().chain(others).map(Card::of_system).collect(),
        }
    }

    /// Whether its processor is emulated by a program: QEMU without a hypervisor in the kernel.
    pub fn is_emulated(&self) -> bool {
        let said = |text: &Option<String>, word: &str| {
            text.as_deref().is_some_and(|text| text.to_ascii_lowercase().contains(word))
        };
        said(&self.hypervisor, "tcg") || said(&self.processor, "tcg")
    }
}

impl Card {
    fn of_system(card: &Value) -> Self {
        let offloads = card["offloads"].as_array().into_iter().flatten();
        Self {
            name: text(&card["name"]).unwrap_or_default(),
            driver: text(&card["driver"]),
            mtu: card["mtu"].as_u64(),
            speed_mbit: card["speed_mbps"].as_u64(),
            receive_queues: card["rx_queues"].as_u64(),
            send_queues: card["tx_queues"].as_u64(),
            offloads: offloads.filter_map(text).collect(),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value in a text of lines `name : value`.
fn value_of(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim_end() == name).then(|| value.trim().to_owned())
    })
}

/// What the processor says that it runs under, as far as this machine's files tell.
fn hypervisor(cpuinfo: &str) -> Option<String> {
    let kind = read("/sys/hypervisor/type");
    if !kind.trim().is_empty() {
        return Some(kind.trim().to_owned());
    }
    let flags = value_of(cpuinfo, "flags")?;
    let product = read("/sys/class/dmi/id/sys_vendor");
    let vendor = Some(product.trim()).filter(|name| !name.is_empty());
    flags.split(' ').any(|flag| flag == "hypervisor").then(|| vendor.unwrap_or("unknown").to_owned())
}

fn cards(directory: &Path) -> Vec<Card> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name != "lo").take(CARDS_MAX).collect();
    names.sort_unstable();
    names.into_iter().map(|name| card(&directory.join(&name), name.clone())).collect()
}

fn card(directory: &Path, name: String) -> Card {
    let value = |file: &str| read(directory.join(file)).trim().parse::<u64>().ok();
    let driver = fs::read_link(directory.join("device/driver")).ok();
    let queues = |prefix: &str| {
        let names = fs::read_dir(directory.join("queues"))
            .ok()?
            .filter_map(|entry| entry.ok().map(|entry| entry.file_name()));
        u64::try_from(names.filter(|name| name.to_string_lossy().starts_with(prefix)).count()).ok()
    };
    Card {
        name,
        driver: driver.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        mtu: value("mtu"),
        speed_mbit: value("speed"),
        receive_queues: queues("rx-"),
        send_queues: queues("tx-"),
        offloads: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: A: B\nMemTotal:       24684 kB\n";
        assert_eq!(value_of(text, "model name").as_deref(), Some("A: B"));
        assert_eq!(value_of(text, "MemTotal").as_deref(), Some("24684 kB"));
        assert_eq!(value_of(text, "name"), None);
    }

    #[test]
    fn this_machine_says_something_of_itself() {
        let here = Environment::here();
        assert!(here.kernel.is_some_and(|kernel| !kernel.is_empty()));
        assert!(here.processors.is_some_and(|count| count > 0));
        assert!(here.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(here.cards.iter().all(|card| card.name != "lo"));
    }

    #[test]
    fn an_appliance_is_understood_and_what_it_does_not_say_is_absent() {
        let system: Value = serde_json::from_str(
            r#"{"version": "0.1.0", "hypervisor": "KVM", "firmware": "none", "kernel": "6.12.95", "new": 1,
                "cpus": {"count": 2, "model": "x"}, "memory": {"total_bytes": 1024}, "interfaces": [
                {"name": "eth0", "driver": "e1000", "addresses": ["192.0.2.1/24"]},
                {"name": "eth1", "driver": "vmxnet3", "mtu": 1500, "rx_queues": 4, "speed_mbps": null,
                 "offloads": ["tx-checksumming"], "addresses": ["192.0.2.7/24"]}]}"#,
        )
        .unwrap();
        let environment = Environment::of_system(&system, "192.0.2.7");
        assert_eq!(environment.program.as_deref(), Some("weir 0.1.0"));
        assert_eq!((environment.hypervisor.as_deref(), environment.firmware), (Some("KVM"), None));
        assert_eq!(environment.kernel.as_deref(), Some("6.12.95"));
        assert_eq!((environment.processors, environment.memory_bytes), (Some(2), Some(1024)));
        assert_eq!(environment.cards[0].driver.as_deref(), Some("vmxnet3"));
        assert_eq!((environment.cards[0].receive_queues, environment.cards[0].speed_mbit), (Some(4), None));
        assert_eq!(environment.cards[0].offloads, ["tx-checksumming"]);
        for nothing in
            [Value::Null, Value::Bool(true), serde_json::json!({"kernel": 5, "interfaces": "none"})]
        {
            assert_eq!(Environment::of_system(&nothing, "h"), Environment::default());
        }
    }

    #[test]
    fn an_emulated_processor_is_known_by_its_name() {
        let of =
            |processor: &str| Environment { processor: Some(processor.into()), ..Environment::default() };
        assert!(of("QEMU TCG CPU version 2.5+").is_emulated());
        assert!(!of("Intel(R) Xeon(R)").is_emulated());
        assert!(!Environment::default().is_emulated());
    }
}
