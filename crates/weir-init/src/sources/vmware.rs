//! VMware: guestinfo's variables and OVF properties. `guestinfo.weir.config` (with `.encoding`) is ours; without it,
//! cloud-init's `guestinfo.userdata`, and of `guestinfo.metadata` the instance's id, the host name and the network. What
//! an OVF's deployer filled in comes as XML in `guestinfo.ovfEnv`.

use std::time::Duration;

use crate::agents::vmware;
use crate::agents::vmware::rpc::{Channel, RPCI_PORT, RpcError, Rpci, connect};

use super::fault::{Fault, Problem};
use super::text::{Encoding, decode, weir_file};
use super::yaml::Node;
use super::{Answer, Machine, Options, Seed, network_config, nocloud, ovf};

const CONFIG: &str = "guestinfo.weir.config";
const USER_DATA: &str = "guestinfo.userdata";
const META_DATA: &str = "guestinfo.metadata";
const ENVIRONMENT: &str = "guestinfo.ovfEnv";
/// How long the host may take to answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The vSockets of VMware; nothing on the bus asks for them by name.
const MODULE: &str = "vmw_vsock_vmci_transport";

pub(super) fn ask(machine: &Machine, options: &Options<'_>) -> Answer {
    if !vmware::is_there(machine) {
        return Answer::default();
    }
    (options.load_module)(MODULE);
    let host = connect(RPCI_PORT, LIMIT).map(Channel::new);
    let answer = host.and_then(|mut host| read(&mut host, &|name| nocloud::card_of(machine, name)));
    answer.unwrap_or_else(|error| Answer {
        found: None,
        faults: vec![Fault::new("guestinfo", Problem::Unreadable(error.to_string()))],
    })
}

/// Has the host forget a configuration that was taken, as there may be secrets in it; whether there was one. OVF
/// properties stay, which only vCenter can change.
pub(super) fn forget() -> Result<bool, RpcError> {
    let mut host = Channel::new(connect(RPCI_PORT, LIMIT)?);
    clear(&mut host)
}

fn clear(host: &mut impl Rpci) -> Result<bool, RpcError> {
    let is_there = host.guestinfo(CONFIG)?.is_some_and(|value| !value.is_empty());
    if is_there {
        // There is no removing, and some hosts take no empty value: `null` is what means nothing with them.
        let taken = host.set_guestinfo(CONFIG, "null")?;
        return Ok(taken && host.set_guestinfo(&format!("{CONFIG}.encoding"), "null")?);
    }
    Ok(false)
}

fn read(host: &mut impl Rpci, mac_of: network_config::MacOf<'_>) -> Result<Answer, RpcError> {
    let mut reader = Reader { host, seed: Seed::default(), place: None, faults: Vec::new() };
    for key in [CONFIG, USER_DATA] {
        if reader.seed.config.is_none() {
            reader.seed.config = reader.content(key, weir_file)?;
        }
    }
    if let Some(document) = reader.document(META_DATA)? {
        reader.meta_data(&document, mac_of);
    }
    if let Some(text) = reader.content(ENVIRONMENT, decode)? {
        reader.environment(&text);
    }
    let Reader { seed, place, faults, .. } = reader;
    Ok(Answer { found: place.map(|place| (place.to_owned(), seed)), faults })
}

struct Reader<'h, H> {
    host: &'h mut H,
    seed: Seed,
    /// The first key that had something.
    place: Option<&'static str>,
    faults: Vec<Fault>,
}

impl<H: Rpci> Reader<'_, H> {
    /// What a key holds, decoded as the key beside it says.
    fn content(
        &mut self,
        key: &'static str,
        decode: impl Fn(&[u8], Encoding) -> Result<Option<String>, Problem>,
    ) -> Result<Option<String>, RpcError> {
        let Some(bytes) = self.host.guestinfo(key)? else { return Ok(None) };
        let encoding = self.host.guestinfo(&format!("{key}.encoding"))?.unwrap_or_default();
        let encoding = Encoding::named(String::from_utf8_lossy(&encoding).trim_end_matches('\0'));
        match encoding.and_then(|encoding| decode(&bytes, encoding)) {
            Ok(Some(text)) => {
                self.place.get_or_insert(key);
                Ok(Some(text))
            }
            Ok(None) => Ok(None),
            Err(problem) => {
                self.faults.push(Fault::new(key, problem));
                Ok(None)
            }
        }
    }

    fn document(&mut self, key: &'static str) -> Result<Option<Node>, RpcError> {
        let Some(text) = self.content(key, decode)? else { return Ok(None) };
        Ok(Node::parse(&text).map_err(|problem| self.faults.push(Fault::new(key, problem))).ok())
    }

    fn meta_data(&mut self, document: &Node, mac_of: network_config::MacOf<'_>) {
        let (instance_id, hostname) = nocloud::identity(document);
        self.seed.instance_id = instance_id;
        self.seed.hostname = hostname;
        let Some(network) = document.get("network") else { return };
        // It may stand there as it is, or as a text of its own, encoded or not.
        let own = match network.text() {
            None => Ok(Some(network.clone())),
            Some(text) => decode(text.as_bytes(), Encoding::Detect)
                .and_then(|text| text.map(|text| Node::parse(&text)).transpose()),
        };
        let config = match own {
            Ok(Some(own)) => network_config::read(&own, mac_of),
            Ok(None) => return,
            Err(problem) => {
                self.faults.push(Fault::new(META_DATA, problem));
                return;
            }
        };
        self.faults.extend(config.problems.into_iter().map(|problem| Fault::new(META_DATA, problem)));
        self.seed.interfaces = config.interfaces;
        self.seed.name_servers = config.name_servers;
    }

    /// Properties fill in what nothing else said.
    fn environment(&mut self, text: &str) {
        let properties = match ovf::read(text) {
            Ok(properties) => properties,
            Err(problem) => {
                self.faults.push(Fault::new(ENVIRONMENT, problem));
                return;
            }
        };
        self.faults.extend(properties.problems.into_iter().map(|problem| Fault::new(ENVIRONMENT, problem)));
        let (seed, given) = (&mut self.seed, properties.seed);
        seed.config = seed.config.take().or(given.config);
        seed.hostname = seed.hostname.take().or(given.hostname);
        seed.instance_id = seed.instance_id.take().or(given.instance_id);
        if seed.interfaces.is_empty() {
            seed.interfaces = given.interfaces;
        }
        if seed.name_servers.is_empty() {
            seed.name_servers = given.name_servers;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::vmware::rpc::tests::Fake;

    fn host(values: &[(&str, &str)]) -> Fake {
        Fake(values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn ask(values: &[(&str, &str)]) -> (Option<(String, Seed)>, Vec<String>) {
        let answer = read(&mut host(values), &|_| None).unwrap();
        (answer.found, answer.faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn our_own_key_goes_before_cloud_init_s() {
        let (found, faults) = ask(&[
            (CONFIG, "dmVyc2lvbjogMQo="),
            ("guestinfo.weir.config.encoding", "base64"),
            (USER_DATA, "#cloud-config\n"),
            (
                META_DATA,
                "instance-id: i-1\nlocal-hostname: lb\nnetwork: {version: 2, ethernets: {a: {dhcp4: true}}}\n",
            ),
        ]);
        assert_eq!(faults, [""; 0]);
        let (place, seed) = found.unwrap();
        assert_eq!((place.as_str(), seed.config.as_deref()), (CONFIG, Some("version: 1\n")));
        assert_eq!(
            (seed.instance_id.as_deref(), seed.hostname.as_deref(), seed.interfaces.len()),
            (Some("i-1"), Some("lb"), 1)
        );
    }

    #[test]
    fn properties_fill_in_the_rest_and_null_is_nothing() {
        let environment = r#"<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
            xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>
            <Property oe:key="guestinfo.weir.hostname" oe:value="lb9"/>
            <Property oe:key="guestinfo.weir.config" oe:value=""/></PropertySection></Environment>"#;
        let (found, faults) =
            ask(&[(CONFIG, "null"), (USER_DATA, "version: 1\n"), (ENVIRONMENT, environment)]);
        assert_eq!(faults, [""; 0]);
        let (place, seed) = found.unwrap();
        assert_eq!(
            (place.as_str(), seed.config.as_deref(), seed.hostname.as_deref()),
            (USER_DATA, Some("version: 1\n"), Some("lb9"))
        );
        assert_eq!(ask(&[(ENVIRONMENT, "null")]).0, None);
    }

    #[test]
    fn what_is_broken_is_told_with_its_key() {
        let (found, faults) =
            ask(&[(CONFIG, "x"), ("guestinfo.weir.config.encoding", "zip"), (ENVIRONMENT, "<a: b")]);
        assert!(found.is_none_or(|(_, seed)| seed.is_empty()));
        assert!(faults[0].starts_with("guestinfo.weir.config: the encoding `zip` is unknown"), "{faults:?}");
        assert!(faults[1].starts_with("guestinfo.ovfEnv: "), "{faults:?}");
    }

    #[test]
    fn a_configuration_that_was_taken_is_forgotten() {
        let mut host = host(&[(CONFIG, "version: 1\n")]);
        assert!(clear(&mut host).unwrap());
        assert_eq!(read(&mut host, &|_| None).unwrap().found, None);
        assert!(!clear(&mut self::host(&[])).unwrap());
    }
}
