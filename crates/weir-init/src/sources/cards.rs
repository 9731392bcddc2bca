//! Which card a seed means that names none: what says "the first card" becomes the hardware address of the first card that
//! no other entry means, so that it still means the same one when a card is added.

use weir_config::model::{Interface, InterfaceMatch, MacAddress};

use super::Machine;
use super::network_config::mac_address;

const CARDS: &str = "sys/class/net";

/// Gives every interface without a match a card, as long as there are some.
pub(super) fn settle(machine: &Machine, interfaces: &mut [Interface]) {
    let nothing = InterfaceMatch::default();
    if interfaces.iter().any(|interface| interface.matches == nothing) {
        assign(interfaces, &cards(machine));
    }
}

fn assign(interfaces: &mut [Interface], cards: &[MacAddress]) {
    let nothing = InterfaceMatch::default();
    let taken: Vec<MacAddress> = interfaces.iter().filter_map(|interface| interface.matches.mac).collect();
    let mut free = cards.iter().filter(|mac| !taken.contains(mac));
    for interface in interfaces.iter_mut().filter(|interface| interface.matches == nothing) {
        interface.matches.mac = free.next().copied();
    }
}

/// The cards that are devices (no loopback, no bridges), in the order in which the kernel found them.
fn cards(machine: &Machine) -> Vec<MacAddress> {
    let names = machine.names(CARDS).into_iter();
    let devices = names.filter(|name| machine.path(&format!("{CARDS}/{name}/device")).exists());
    let mut cards: Vec<(u32, MacAddress)> = devices
        .filter_map(|name| {
            let index = machine.line(&format!("{CARDS}/{name}/ifindex"))?.parse().ok()?;
            Some((index, mac_address(&machine.line(&format!("{CARDS}/{name}/address"))?)?))
        })
        .collect();
    cards.sort_by_key(|(index, _)| *index);
    cards.into_iter().map(|(_, mac)| mac).collect()
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::Folder;
    use super::super::network_config::interface;
    use super::*;

    fn mac(last: u8) -> MacAddress {
        MacAddress([2, 0, 0, 0, 0, last])
    }

    #[test]
    fn what_means_no_card_gets_the_first_that_is_left() {
        let by_mac = InterfaceMatch { mac: Some(mac(1)), ..InterfaceMatch::default() };
        let nothing = InterfaceMatch::default;
        let mut interfaces = [
            interface("a", nothing()),
            interface("b", by_mac),
            interface("c", nothing()),
            interface("d", nothing()),
        ];
        assign(&mut interfaces, &[mac(1), mac(2), mac(3)]);
        let macs = interfaces.map(|interface| interface.matches.mac);
        assert_eq!(macs, [Some(mac(2)), Some(mac(1)), Some(mac(3)), None]);
    }

    #[test]
    fn cards_are_devices_in_the_kernel_s_order() {
        let folder = [("lo", "1", ""), ("eth0", "3", "device/x"), ("eth1", "2", "device/x")].iter().fold(
            Folder::new("cards"),
            |folder, (name, index, device)| {
                let folder = folder
                    .with(&format!("{CARDS}/{name}/ifindex"), index)
                    .with(&format!("{CARDS}/{name}/address"), format!("02:00:00:00:00:0{index}\n"));
                if device.is_empty() { folder } else { folder.with(&format!("{CARDS}/{name}/{device}"), "") }
            },
        );
        assert_eq!(cards(&folder.machine()), [mac(2), mac(3)]);
    }
}
