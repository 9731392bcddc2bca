//! Packets spread over the cores, as the workers are: every queue of a card has its interrupt on a core of its own, and a
//! card with fewer queues than there are cores has its packets passed on to all of them (RPS). With one core there is
//! nothing to do.
//!
//! What to write is pure ([`plan`]); [`card`] looks and writes, at the start and for every card that is added.

use std::path::{Path, PathBuf};

/// Flows that RFS keeps in mind, all cards together: which core reads which connection.
const FLOWS: u32 = 32_768;

/// A card, as `/sys` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Card {
    receive_queues: usize,
    transmit_queues: usize,
    /// Its interrupts by number, in order.
    interrupts: Vec<u32>,
}

/// Where a text is to be written: beneath the card's folder, or an interrupt's affinity.
#[derive(Debug, PartialEq, Eq)]
enum Write {
    Queue { at: String, text: String },
    Interrupt { number: u32, cores: String },
}

/// Spreads one card's packets.
pub(crate) fn card(name: &str) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = Path::new("/sys/class/net").join(name);
    if cores < 2 || !folder.join("device").exists() {
        return;
    }
    let _ = std::fs::write("/proc/sys/net/core/rps_sock_flow_entries", FLOWS.to_string());
    for write in plan(&look(&folder), cores) {
        let (path, text) = match write {
            Write::Queue { at, text } => (folder.join("queues").join(at), text),
            Write::Interrupt { number, cores } => {
                (PathBuf::from(format!("/proc/irq/{number}/smp_affinity")), cores)
            }
        };
        // A driver may keep its interrupts where they are; that is its right.
        let _ = std::fs::write(path, text);
    }
}

/// Spreads the packets of all cards that are there.
pub(crate) fn all() {
    for entry in std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        card(&entry.file_name().to_string_lossy());
    }
}

fn look(folder: &Path) -> Card {
    let names = |at: PathBuf| -> Vec<String> {
        let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let queues = names(folder.join("queues"));
    // virtio's interrupts are its parent's.
    let device = folder.join("device");
    let own = names(device.join("msi_irqs"));
    let found = if own.is_empty() { names(device.join("../msi_irqs")) } else { own };
    let mut interrupts: Vec<u32> = found.iter().filter_map(|name| name.parse().ok()).collect();
    interrupts.sort_unstable();
    Card {
        receive_queues: queues.iter().filter(|name| name.starts_with("rx-")).count(),
        transmit_queues: queues.iter().filter(|name| name.starts_with("tx-")).count(),
        interrupts,
    }
}

fn plan(card: &Card, cores: usize) -> Vec<Write> {
    let mut writes: Vec<Write> = Vec::new();
    for (position, &number) in card.interrupts.iter().enumerate() {
        writes.push(Write::Interrupt { number, cores: mask([position % cores]) });
    }
    // Fewer queues than cores: the core of the interrupt passes packets on.
    if card.receive_queues < cores {
        for queue in 0..card.receive_queues {
            let flows = FLOWS as usize / card.receive_queues;
            writes.push(Write::Queue { at: format!("rx-{queue}/rps_cpus"), text: mask(0..cores) });
            writes.push(Write::Queue { at: format!("rx-{queue}/rps_flow_cnt"), text: flows.to_string() });
        }
    }
    if card.transmit_queues > 1 {
        for queue in 0..card.transmit_queues {
            let sharing = (queue % cores..cores).step_by(card.transmit_queues.min(cores));
            writes.push(Write::Queue { at: format!("tx-{queue}/xps_cpus"), text: mask(sharing) });
        }
    }
    writes
}

/// Cores as the kernel reads them: hexadecimal words of 32 bits, the highest first, commas between.
fn mask(cores: impl IntoIterator<Item = usize>) -> String {
    let mut words = vec![0_u32];
    for core in cores {
        let word = core / 32;
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words[word] |= 1 << (core % 32);
    }
    let words: Vec<String> = words.iter().rev().map(|word| format!("{word:08x}")).collect();
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(writes: &[Write]) -> Vec<String> {
        let text = |write: &Write| match write {
            Write::Queue { at, text } => format!("{at}={text}"),
            Write::Interrupt { number, cores } => format!("irq{number}={cores}"),
        };
        writes.iter().map(text).collect()
    }

    #[test]
    fn a_card_of_one_queue_has_its_packets_passed_on() {
        let card = Card { receive_queues: 1, transmit_queues: 1, interrupts: vec![24] };
        assert_eq!(
            texts(&plan(&card, 4)),
            ["irq24=00000001", "rx-0/rps_cpus=0000000f", "rx-0/rps_flow_cnt=32768"]
        );
    }

    #[test]
    fn a_queue_for_each_core_needs_no_passing_on() {
        let card = Card { receive_queues: 2, transmit_queues: 2, interrupts: vec![30, 31, 32] };
        assert_eq!(
            texts(&plan(&card, 2)),
            [
                "irq30=00000001",
                "irq31=00000002",
                "irq32=00000001",
                "tx-0/xps_cpus=00000001",
                "tx-1/xps_cpus=00000002"
            ]
        );
    }

    #[test]
    fn every_core_has_a_queue_to_send_by() {
        let card = Card { receive_queues: 4, transmit_queues: 2, interrupts: vec![] };
        assert_eq!(texts(&plan(&card, 4)), ["tx-0/xps_cpus=00000005", "tx-1/xps_cpus=0000000a"]);
    }

    #[test]
    fn more_than_32_cores_are_written_in_words() {
        assert_eq!(mask([0, 33]), "00000002,00000001");
    }
}
