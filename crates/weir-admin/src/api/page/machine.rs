//! The machine: what it is, its cards and disks; and of the appliance where its configuration came from, and what it has
//! to say.
//!
//! What process 1 tells is read leniently: a page that leaves a line out is better than none.

use serde_json::Value;

use super::{Escaped, Page};
use crate::system::{Disk, Interface, System};

/// What somebody should know.
pub(super) fn notices(page: &mut Page, machine: &System) {
    let Some(appliance) = &machine.appliance else { return };
    for notice in items(appliance, "/notices").filter_map(Value::as_str) {
        page.put(format_args!("<p class=\"notice\">{}</p>", Escaped(notice)));
    }
    for rejected in items(appliance, "/configuration/rejected") {
        page.put(format_args!(
            "<details class=\"notice bad\"><summary>The configuration from {} was not taken</summary><pre>{}</pre></details>",
            Escaped(text(rejected, "/source").unwrap_or("somewhere")),
            Escaped(text(rejected, "/text").unwrap_or_default()),
        ));
    }
}

pub(super) fn sections(page: &mut Page, machine: &System, generation: u64) {
    facts(page, machine, generation);
    interfaces(page, machine);
    disks(page, &machine.disks);
}

fn facts(page: &mut Page, machine: &System, generation: u64) {
    let System { hypervisor, firmware, cpus, memory, .. } = machine;
    page.put(format_args!("<section><h2>System</h2><dl>"));
    fact(page, "Hypervisor", hypervisor);
    fact(page, "Firmware", firmware);
    fact(page, "Kernel", machine.kernel.as_deref().unwrap_or("unknown"));
    fact(page, "Processors", &format!("{} × {}", cpus.count, cpus.model.as_deref().unwrap_or("unknown")));
    if let (Some(total), Some(available)) = (memory.total_bytes, memory.available_bytes) {
        fact(page, "Memory", &format!("{} of {} available", size(available), size(total)));
    }
    let machine_up = machine.machine_uptime_seconds.map_or_else(|| "unknown".to_owned(), time);
    fact(page, "Up", &format!("{machine_up} (Weir: {})", time(machine.uptime_seconds)));
    match &machine.appliance {
        Some(appliance) => of_appliance(page, appliance, generation),
        None => fact(page, "Configuration", &format!("generation {generation}")),
    }
    page.put(format_args!("</dl></section>"));
}

fn of_appliance(page: &mut Page, appliance: &Value, generation: u64) {
    let source = text(appliance, "/configuration/source").unwrap_or("unknown");
    let place = text(appliance, "/configuration/place").filter(|place| !place.is_empty() && *place != source);
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    fact(page, "Configuration", &format!("from {source}{place}, generation {generation}"));
    if let Some(slot) = text(appliance, "/slot") {
        let fallback = match appliance.pointer("/fallback").and_then(Value::as_u64) {
            Some(1) => ", in place of one that failed three starts",
            Some(2) => ", in place of one that could not be loaded",
            Some(_) | None => "",
        };
        fact(page, "Slot", &format!("{slot}{fallback}"));
    }
    if let Some(condition) = text(appliance, "/state/condition") {
        let number = |pointer| appliance.pointer(pointer).and_then(Value::as_u64);
        let room = match (number("/state/free_bytes"), number("/state/size_bytes")) {
            (Some(free), Some(all)) => format!(", {} of {} free", size(free), size(all)),
            _ => String::new(),
        };
        fact(page, "State", &format!("{condition}{room}"));
    }
    if let Some(set) = appliance.pointer("/clock/set").and_then(Value::as_bool) {
        match text(appliance, "/clock/server").filter(|_| set) {
            Some(server) => fact(page, "Clock", &format!("set by {server}")),
            None => fact(page, "Clock", if set { "set" } else { "not set by anybody yet" }),
        }
    }
    let ms = |pointer| appliance.pointer(pointer).and_then(Value::as_f64);
    if let (Some(kernel), Some(init)) = (ms("/boot/kernel_ms"), ms("/boot/init_ms")) {
        fact(page, "Started in", &format!("{kernel:.0} ms of the kernel, {init:.0} ms of Weir"));
    }
    if let Some(starts) = appliance.pointer("/child/starts").and_then(Value::as_u64).filter(|&n| n > 1) {
        let last = text(appliance, "/child/last_exit").unwrap_or("nobody knows why");
        let times = if starts == 2 { "once".to_owned() } else { format!("{} times", starts - 1) };
        fact(page, "Restarted", &format!("{times}; the last end: {last}"));
    }
}

fn fact(page: &mut Page, name: &str, value: &str) {
    page.put(format_args!("<dt>{name}<dd>{}", Escaped(value)));
}

fn interfaces(page: &mut Page, machine: &System) {
    page.put(format_args!(
        "<section><h2>Network</h2><div class=\"wide\"><table><tr><th>card<th>link<th>addresses<th>driver<th>place<th>hardware address\
         <th class=\"n\">MTU<th class=\"n\">queues"
    ));
    for interface in &machine.interfaces {
        // What process 1 knows of it: the operator's name for it, and how it got its addresses.
        let of_init = machine.appliance.as_ref().and_then(|appliance| {
            items(appliance, "/network").find(|card| text(card, "/name") == Some(interface.name.as_str()))
        });
        one_interface(page, interface, of_init);
    }
    page.put(format_args!("</table></div></section>"));
}

fn one_interface(page: &mut Page, interface: &Interface, of_init: Option<&Value>) {
    let Interface { name, path, driver, mac, mtu, up, speed_mbps, rx_queues, tx_queues, addresses, .. } =
        interface;
    let (link, class) = if *up { ("up", "up") } else { ("down", "unknown") }; // it may not be wanted
    page.put(format_args!("<tr><td>{}", Escaped(name)));
    if let Some(configured) = of_init.and_then(|card| text(card, "/configured_as")) {
        page.put(format_args!(" <span class=\"note\">{}</span>", Escaped(configured)));
    }
    page.put(format_args!("<td><span class=\"{class}\">{link}</span>"));
    if let Some(speed) = speed_mbps {
        page.put(format_args!(" <span class=\"note\">{speed} Mbit/s</span>"));
    }
    page.put(format_args!("<td>"));
    for address in addresses {
        page.put(format_args!("<code>{}</code><br>", Escaped(address)));
    }
    if let Some(condition) = of_init.and_then(|card| text(card, "/condition")) {
        page.put(format_args!("<span class=\"note\">{}</span>", Escaped(condition)));
    }
    let cell = |text: &Option<String>| text.clone().unwrap_or_default();
    page.put(format_args!(
        "<td>{}<td><code>{}</code><td><code>{}</code><td class=\"n\">{}<td class=\"n\">{rx_queues}/{tx_queues}",
        Escaped(&cell(driver)),
        Escaped(&cell(path)),
        Escaped(&cell(mac)),
        mtu.map(|mtu| mtu.to_string()).unwrap_or_default(),
    ));
}

fn disks(page: &mut Page, disks: &[Disk]) {
    if disks.is_empty() {
        return;
    }
    page.put(format_args!(
        "<section><h2>Disks</h2><div class=\"wide\"><table><tr><th>disk<th>driver<th>place<th class=\"n\">size"
    ));
    for Disk { name, path, driver, size_bytes, module: _ } in disks {
        page.put(format_args!(
            "<tr><td>{}<td>{}<td><code>{}</code><td class=\"n\">{}",
            Escaped(name),
            Escaped(driver.as_deref().unwrap_or_default()),
            Escaped(path.as_deref().unwrap_or_default()),
            size_bytes.map(size).unwrap_or_default(),
        ));
    }
    page.put(format_args!("</table></div></section>"));
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

fn items<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// `118 MiB`, `23.5 GiB`.
fn size(bytes: u64) -> String {
    const MIB: f64 = 1_048_576.0;
    match bytes as f64 / MIB {
        mib if mib < 1.0 => format!("{} KiB", bytes >> 10),
        mib if mib < 1024.0 => format!("{mib:.0} MiB"),
        mib => format!("{:.1} GiB", mib / 1024.0),
    }
}

/// `3 d 4 h`, `2 h 5 min`, `40 s`.
fn time(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _days => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_people_say_them() {
        assert_eq!([size(4096), size(124 << 20), size(25_276_063_744)], ["4 KiB", "124 MiB", "23.5 GiB"]);
        assert_eq!(
            [time(5), time(3599), time(3700), time(273_600)],
            ["5 s", "59 min", "1 h 1 min", "3 d 4 h"]
        );
    }
}
