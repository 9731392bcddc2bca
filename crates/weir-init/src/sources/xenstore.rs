//! Xen's xenstore: `vm-data/weir/config`, or `vm-data/weir/config.0`, `.1`, ... since a value has at most 4 KiB.
//! With XenServer: `xe vm-param-set xenstore-data:vm-data/weir/config=...`.

use std::io::{Read, Write};

use crate::agents::xen::store::{self, Store, StoreError};

use super::fault::Problem;
use super::{Answer, Machine, pieces};

const FOLDER: &str = "vm-data/weir";
const NAME: &str = "config";
const PLACE: &str = "vm-data/weir/config";

pub(super) fn ask(machine: &Machine) -> Answer {
    if !store::is_there(machine) {
        return Answer::default();
    }
    Answer::config(PLACE, store::open(machine).map_err(Problem::from).and_then(|mut store| read(&mut store)))
}

fn read<T: Read + Write>(store: &mut Store<T>) -> Result<Option<String>, Problem> {
    let mut values = Vec::new();
    for name in store.names(FOLDER)?.into_iter().filter(|name| name.starts_with(NAME)) {
        let value = store.read(&format!("{FOLDER}/{name}"))?;
        values.extend(value.map(|value| (name, value)));
    }
    pieces::weir_file_in(NAME, values.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::xen::store::tests::Fake;

    #[test]
    fn a_file_comes_whole_or_in_pieces() {
        let whole = Fake::default().with("vm-data/weir/config", "version: 1\n").with("vm-data/other", "x");
        assert_eq!(read(&mut Store::new(whole)), Ok(Some("version: 1\n".to_owned())));
        let pieces = Fake::default()
            .with("vm-data/weir/config.0", "dmVyc2lv")
            .with("vm-data/weir/config.1", "bjogMQo=");
        assert_eq!(read(&mut Store::new(pieces)), Ok(Some("version: 1\n".to_owned())));
        assert_eq!(read(&mut Store::new(Fake::default())), Ok(None));
    }
}
