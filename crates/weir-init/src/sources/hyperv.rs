//! Hyper-V's key-value pairs: `weir.config.0`, `weir.config.1`, ... in base64, pieces of at most 990 characters, given by
//! the host for this machine (pool 0). The host tells them once a start, so the service that takes them goes on.

use std::time::Duration;

use crate::agents::hyperv::service::{self, Service};

use super::fault::Problem;
use super::{Answer, Machine, pieces};

const NAME: &str = "weir.config";
const PLACE: &str = "Hyper-V key-value pair weir.config";
/// How long a host is waited for that says nothing. Every host says something, its own name at least.
const LIMIT: Duration = Duration::from_secs(2);
/// How long after its last word it has said everything.
const QUIET: Duration = Duration::from_millis(250);

pub(super) fn ask(machine: &Machine) -> Answer {
    if !service::is_there(machine) {
        return Answer::default();
    }
    let service = service::start(machine);
    let text = read(&service, LIMIT).and_then(|text| match (text, service.condition()) {
        (None, Err(trouble)) => Err(Problem::Unreadable(trouble)),
        (text, _) => Ok(text),
    });
    Answer::config(PLACE, text)
}

fn read(service: &Service, limit: Duration) -> Result<Option<String>, Problem> {
    service.settled(QUIET, limit, |pools| pieces::weir_file_in(NAME, pools.host_pairs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::hyperv::service::tests::told;

    #[test]
    fn pieces_make_a_file() {
        let service =
            told(&[("weir.config.1", "bjogMQo="), ("HostName", "x"), ("weir.config.0", "dmVyc2lv")]);
        assert_eq!(read(&service, Duration::ZERO), Ok(Some("version: 1\n".to_owned())));
        assert_eq!(read(&told(&[("HostName", "x")]), Duration::ZERO), Ok(None));
    }
}
