//! Every pair of card and disk, every card and every disk under both kinds of firmware, with the sources of
//! first-boot data in turn; and how little memory is enough.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread;

use weir_boot_tests::{Disk, Dist, Firmware, Nic, Plan, Site, Source, eventually, load};

use crate::matrix::Row;

/// The firmware alternates along both axes, so that every card and every disk meets each that can start from it.
fn pairs() -> impl Iterator<Item = Row> {
    Nic::ALL.into_iter().enumerate().flat_map(|(column, nic)| {
        Disk::ALL.into_iter().enumerate().map(move |(line, disk)| {
            let firmware = Firmware::PLAIN[(column + line) % Firmware::PLAIN.len()];
            let firmware = if firmware.knows(disk) { firmware } else { Firmware::SeaBios };
            Row(firmware, nic, disk, Source::DEVICES[(column + line / 2) % Source::DEVICES.len()])
        })
    })
}

/// Emulation takes a processor, and what is around it another.
fn machines_at_once() -> usize {
    thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

#[test]
fn the_table_has_every_pair_of_firmware_and_anything() {
    for firmware in Firmware::PLAIN {
        for nic in Nic::ALL {
            assert!(pairs().any(|row| row.0 == firmware && row.1 == nic), "{firmware:?} {nic:?}");
        }
        for disk in Disk::ALL.into_iter().filter(|disk| firmware.knows(*disk)) {
            assert!(pairs().any(|row| row.0 == firmware && row.2 == disk), "{firmware:?} {disk:?}");
        }
        for source in Source::DEVICES {
            assert!(pairs().any(|row| row.0 == firmware && row.3 == source), "{firmware:?} {source:?}");
        }
    }
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn pairs_of_cards_and_disks() {
    let (left, failed) = (Mutex::new(pairs()), Mutex::new(Vec::new()));
    let next = || left.lock().unwrap().next();
    let try_them = || {
        while let Some(row) = next() {
            match catch_unwind(|| row.try_it()) {
                Ok(first) => eprintln!("{row:?}: the first request after {first:.1?}"),
                Err(_) => failed.lock().unwrap().push(row), // said why already
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..machines_at_once() {
            scope.spawn(try_them);
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn the_image_starts_with_96_mebibytes() {
    let site = Site::new();
    let machine = Plan::new(&Dist::find()).memory(96).seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn the_image_does_its_job_with_128_mebibytes() {
    let site = Site::new();
    let machine = Plan::new(&Dist::find()).memory(128).seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    let asked = load(machine.address(80), 64, || {
        eventually("ten thousand requests", || site.requests() > 10_000);
    });
    eprintln!("{} answers, the longest pause {:?}", asked.count(), asked.longest_gap());
    let system = machine.system();
    assert_eq!(system.number("/appliance/child/starts"), 1, "{system:?}");
    machine.power_off();
}
