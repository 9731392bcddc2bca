//! QEMU's guest agent, which Proxmox and libvirt ask for addresses and to shut down: JSON lines over the virtio serial port
//! `org.qemu.guest_agent.0`. What is said is in `protocol`; this is the port.

mod protocol;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::sources::Machine;
use crate::{Event, Teller};

use super::{RETRY, Shared};
use protocol::Session;

const PORTS: &str = "sys/class/virtio-ports";
const NAME: &str = "org.qemu.guest_agent.0";
/// How long a port that nobody has opened on the host is left alone; reading it does not wait.
const NOBODY: Duration = Duration::from_millis(500);
const READ_BYTES: usize = 4096;

pub(super) fn is_there(machine: &Machine) -> bool {
    port(machine).is_some()
}

fn port(machine: &Machine) -> Option<PathBuf> {
    let mut ports = machine.names(PORTS).into_iter();
    let port = ports.find(|port| machine.line(&format!("{PORTS}/{port}/name")).as_deref() == Some(NAME))?;
    Some(machine.path(&format!("dev/{port}")))
}

pub(super) fn run(machine: &Machine, shared: &Shared, teller: &Teller) {
    loop {
        let opened = match port(machine) {
            Some(path) => OpenOptions::new().read(true).write(true).open(path),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        if let Err(error) = opened.and_then(|port| serve(port, shared, teller)) {
            shared.condition("qemu", format!("{NAME}: {error}"));
        }
        std::thread::sleep(RETRY);
    }
}

/// Answers whoever is at the other end, one after the other.
fn serve(mut port: File, shared: &Shared, teller: &Teller) -> io::Result<()> {
    shared.condition("qemu", "answering");
    let mut session = Session::default();
    let mut buffer = [0; READ_BYTES];
    loop {
        let read = port.read(&mut buffer)?;
        if read == 0 {
            std::thread::sleep(NOBODY);
            continue;
        }
        for answer in session.take(&buffer[..read], &shared.facts()) {
            port.write_all(&answer.text)?;
            if let Some((power, by)) = answer.power {
                teller.tell(Event::Power { power, by: by.to_owned() });
            }
        }
    }
}
