//! What VMware's host asks a guest's tools (TCLO) and what is answered, as open-vm-tools does it; and what tools tell of
//! themselves. Pure.

use std::time::Duration;

use super::nic_info;
use crate::Power;
use crate::agents::{Facts, OS_NAME, OS_VERSION, kernel_release};

/// What somebody wants of the machine, and who.
pub(super) type Wish = (Power, &'static str);

/// The answer to one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) reply: Vec<u8>,
    /// What is to be told the host first.
    pub(super) commands: Vec<Vec<u8>>,
    /// Whether the host wants to hear everything again.
    pub(super) facts_wanted: bool,
    pub(super) power: Option<Wish>,
}

/// What tools say they can do, in answer to `Capabilities_Register`. The version is the one that stands for "managed by
/// the guest's maker" (`TOOLS_VERSION_UNMANAGED`), so that vSphere offers no update.
const CAPABILITIES: &[&str] =
    &["tools.capability.statechange ", "tools.capability.softpowerop_retry ", "tools.set.version 2147483647"];

/// The host's wishes: the command, its number in the answer (open-vm-tools' `powerops.h`), and what it means to us.
const POWER: &[(&str, u8, Option<Wish>)] = &[
    ("OS_Halt", 1, Some((Power::Off, "VMware: shut down guest"))),
    ("OS_Reboot", 2, Some((Power::Restart, "VMware: restart guest"))),
    ("OS_PowerOn", 3, None),
    ("OS_Resume", 4, None),
    ("OS_Suspend", 5, None),
];

/// What a fact's number is in `SetGuestInfo` (open-vm-tools' `guestInfo.h`).
const DNS_NAME: u8 = 1;
const OS_NAME_FULL: u8 = 5;
const OS_NAME_SHORT: u8 = 6;
const UPTIME: u8 = 7;
const ADDRESSES: u8 = 10;

/// The guest's side of the conversation.
#[derive(Debug, Default)]
pub(super) struct Tclo {
    begun: bool,
}

impl Tclo {
    /// Whether the host has spoken; before, it wants to hear nothing.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(super) fn answer(&mut self, request: &[u8]) -> Turn {
        self.begun = true;
        let request = String::from_utf8_lossy(request);
        let request = request.trim_end_matches('\0').trim();
        let command = request.split(' ').next().unwrap_or_default();
        if let Some((_, number, power)) = POWER.iter().find(|(name, ..)| *name == command) {
            let done = format!("tools.os.statechange.status 1 {number}").into_bytes();
            return Turn { power: *power, ..Turn::ok(vec![done]) };
        }
        match command {
            // The name by which open-vm-tools' own service answers; the host knows no other.
            "reset" => Turn { reply: b"OK ATR toolbox".to_vec(), facts_wanted: true, ..Turn::default() },
            "ping" => Turn::ok(Vec::new()),
            "Capabilities_Register" => {
                let commands = CAPABILITIES.iter().map(|command| command.as_bytes().to_vec()).collect();
                Turn { facts_wanted: true, ..Turn::ok(commands) }
            }
            "Set_Option" => Turn { facts_wanted: request.contains("broadcastIP 1"), ..Turn::ok(Vec::new()) },
            _ => Turn { reply: b"ERROR Unknown Command".to_vec(), ..Turn::default() },
        }
    }
}

impl Turn {
    fn ok(commands: Vec<Vec<u8>>) -> Self {
        Self { reply: b"OK ".to_vec(), commands, ..Self::default() }
    }
}

/// What the host is told of the guest.
pub(super) fn facts(facts: &Facts, uptime: Duration) -> Vec<Vec<u8>> {
    let kernel = kernel_release();
    let full = format!("{OS_NAME} {OS_VERSION} (Linux {kernel})");
    let hundredths = uptime.as_secs().saturating_mul(100).to_string();
    let mut commands = vec![
        set(UPTIME, hundredths.as_bytes()),
        set(OS_NAME_FULL, full.as_bytes()),
        set(OS_NAME_SHORT, b"other6xlinux-64"),
        set(ADDRESSES, &nic_info::encode(&facts.interfaces)),
    ];
    if !facts.hostname.is_empty() {
        commands.push(set(DNS_NAME, facts.hostname.as_bytes()));
    }
    if let Some(address) = facts.addresses().next() {
        commands.push(format!("info-set guestinfo.ip {address}").into_bytes());
    }
    commands
}

/// Two spaces: the host looks for them.
fn set(number: u8, value: &[u8]) -> Vec<u8> {
    [format!("SetGuestInfo  {number} ").as_bytes(), value].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::tests::facts as some_facts;
    use super::*;

    #[test]
    fn a_conversation_as_a_host_leads_it() {
        let mut tclo = Tclo::default();
        assert!(!tclo.has_begun());
        let reset = tclo.answer(b"reset");
        assert_eq!((reset.reply.as_slice(), reset.facts_wanted), (b"OK ATR toolbox".as_slice(), true));
        assert!(tclo.has_begun());
        assert_eq!(tclo.answer(b"ping\0").reply, b"OK ");
        let capabilities = tclo.answer(b"Capabilities_Register");
        assert_eq!(capabilities.commands.len(), 3);
        assert!(tclo.answer(b"Set_Option broadcastIP 1").facts_wanted);
        assert_eq!(tclo.answer(b"vix 1").reply, b"ERROR Unknown Command");
    }

    #[test]
    fn power_is_told_and_acknowledged() {
        for (request, power) in [(b"OS_Halt".as_slice(), Power::Off), (b"OS_Reboot\0", Power::Restart)] {
            let turn = Tclo::default().answer(request);
            assert_eq!(turn.power.map(|(power, _)| power), Some(power));
            assert_eq!(turn.reply, b"OK ");
            assert!(turn.commands[0].starts_with(b"tools.os.statechange.status 1 "));
        }
        assert_eq!(Tclo::default().answer(b"OS_Suspend").power, None);
    }

    #[test]
    fn the_first_address_is_the_one_that_the_page_shows() {
        let commands = facts(&some_facts(), Duration::from_secs(3));
        assert!(commands.contains(&b"info-set guestinfo.ip 192.0.2.10".to_vec()));
        assert!(commands.contains(&b"SetGuestInfo  7 300".to_vec()));
        assert!(commands.contains(&b"SetGuestInfo  1 lb1".to_vec()));
        assert_eq!(facts(&Facts::default(), Duration::ZERO).len(), 4);
    }

    proptest! {
        #[test]
        fn no_request_panics(request in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Tclo::default().answer(&request);
        }
    }
}
