//! `/run/weir/appliance.json`: what process 1 knows, for the admin API. Written whole at every change, by the deciding thread
//! alone.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::clock::ClockStatus;
use crate::command_line::Slot;
use crate::configuration::Origin;
use crate::files::{self, FOR_CHILD};
use crate::network::InterfaceStatus;
use crate::state::Condition;

/// The folder that `weir run --appliance` is given.
pub(crate) const FOLDER: &str = "/run/weir";
const NAME: &str = "appliance.json";

/// All of it. Every key is always there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Status {
    pub(crate) version: &'static str,
    pub(crate) slot: Option<Slot>,
    pub(crate) fallback: u8,
    pub(crate) boot: Boot,
    pub(crate) configuration: Origin,
    pub(crate) state: State,
    pub(crate) network: Vec<InterfaceStatus>,
    pub(crate) clock: ClockStatus,
    pub(crate) child: Child,
    pub(crate) notices: Vec<String>,
}

/// How long the start took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Boot {
    /// Until process 1 ran.
    pub(crate) kernel_ms: u64,
    /// From then until the child was started.
    pub(crate) init_ms: u64,
    pub(crate) phases: Vec<Phase>,
}

/// A part of the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) ms: u64,
}

/// The partition that is written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct State {
    pub(crate) device: Option<String>,
    pub(crate) condition: Condition,
    pub(crate) size_bytes: u64,
    pub(crate) free_bytes: u64,
}

/// `weir run`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Child {
    pub(crate) pid: Option<i32>,
    pub(crate) starts: u64,
    /// Such as `exited with 1` or `killed by signal 9`.
    pub(crate) last_exit: Option<String>,
}

impl Status {
    /// Writes it where the child looks for it.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        files::write(&Path::new(FOLDER).join(NAME), &serde_json::to_vec(self)?, FOR_CHILD)
    }
}

/// Whole milliseconds.
pub(crate) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_there() {
        let status = Status {
            version: "0.1.0",
            slot: Some(Slot::A),
            fallback: 0,
            boot: Boot { kernel_ms: 3900, init_ms: 210, phases: vec![Phase { name: "mounts", ms: 4 }] },
            configuration: Origin { source: "default".into(), ..Origin::default() },
            state: State { device: None, condition: Condition::Memory, size_bytes: 16, free_bytes: 8 },
            network: Vec::new(),
            clock: ClockStatus::default(),
            child: Child { pid: Some(70), starts: 1, last_exit: None },
            notices: vec!["STATE is in memory".into()],
        };
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(
            json,
            "{\"version\":\"0.1.0\",\"slot\":\"A\",\"fallback\":0,\"boot\":{\"kernel_ms\":3900,\"init_ms\":210,\
             \"phases\":[{\"name\":\"mounts\",\"ms\":4}]},\"configuration\":{\"source\":\"default\",\"place\":\"\",\
             \"instance_id\":null,\"taken\":false,\"rejected\":[],\"restored_last_good\":false},\"state\":\
             {\"device\":null,\"condition\":\"memory\",\"size_bytes\":16,\"free_bytes\":8},\"network\":[],\"clock\":\
             {\"set\":false,\"server\":null},\"child\":{\"pid\":70,\"starts\":1,\"last_exit\":null},\"notices\":\
             [\"STATE is in memory\"]}"
        );
    }
}
