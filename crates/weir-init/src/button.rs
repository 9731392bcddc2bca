//! The power button of ACPI, as an input device (modules `button` and `evdev`).

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Event, Power, Teller, threads};

/// Devices that are listened to.
const DEVICES_MAX: usize = 8;
/// `struct input_event` on 64 bits: two longs of time, a type, a code, a value.
const EVENT_BYTES: usize = 24;
/// Of `linux/input-event-codes.h`.
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;

/// How many are being listened to.
static LISTENING: AtomicUsize = AtomicUsize::new(0);

/// Listens to those that are there already.
pub(crate) fn watch_all(teller: &Teller) {
    for entry in std::fs::read_dir("/dev/input").into_iter().flatten().flatten() {
        watch(&format!("input/{}", entry.file_name().to_string_lossy()), teller);
    }
}

/// Listens to a device beneath `/dev`, if it is one with a power key.
pub(crate) fn watch(node: &str, teller: &Teller) {
    let Some(name) = node.strip_prefix("input/").filter(|name| name.starts_with("event")) else { return };
    let keys = std::fs::read_to_string(format!("/sys/class/input/{name}/device/capabilities/key"));
    if !keys.is_ok_and(|keys| has_key(&keys, KEY_POWER)) {
        return;
    }
    let Ok(mut device) = File::open(format!("/dev/{node}")) else { return };
    if LISTENING.fetch_add(1, Ordering::AcqRel) >= DEVICES_MAX {
        LISTENING.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let teller = teller.clone();
    threads::start("button", move || {
        let mut event = [0; EVENT_BYTES];
        while device.read_exact(&mut event).is_ok() {
            if is_power_pressed(&event)
                && !teller.tell(Event::Power { power: Power::Off, by: "ACPI power button".to_owned() })
            {
                break;
            }
        }
        LISTENING.fetch_sub(1, Ordering::AcqRel);
    });
}

fn is_power_pressed(event: &[u8; EVENT_BYTES]) -> bool {
    let [.., t0, t1, c0, c1, v0, v1, v2, v3] = *event;
    let (kind, code) = (u16::from_ne_bytes([t0, t1]), u16::from_ne_bytes([c0, c1]));
    (kind, code, i32::from_ne_bytes([v0, v1, v2, v3])) == (EV_KEY, KEY_POWER, 1)
}

/// Whether the bitmap, words of 64 bits in hexadecimal with the highest first, has `key`.
fn has_key(bitmap: &str, key: u16) -> bool {
    let word = bitmap.split_whitespace().rev().nth(usize::from(key) / 64);
    word.and_then(|word| u64::from_str_radix(word, 16).ok()).is_some_and(|word| word >> (key % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_acpi_button_has_a_power_key_and_a_mouse_has_none() {
        assert!(has_key("10000000000000 0\n", KEY_POWER));
        assert!(!has_key("1f0000 0 0 0 0\n", KEY_POWER));
        assert!(!has_key("0\n", KEY_POWER));
        assert!(!has_key("", KEY_POWER));
    }

    #[test]
    fn pressing_counts_and_letting_go_does_not() {
        let mut event = [0; EVENT_BYTES];
        event[16..18].copy_from_slice(&EV_KEY.to_ne_bytes());
        event[18..20].copy_from_slice(&KEY_POWER.to_ne_bytes());
        assert!(!is_power_pressed(&event));
        event[20..24].copy_from_slice(&1_i32.to_ne_bytes());
        assert!(is_power_pressed(&event));
    }
}
