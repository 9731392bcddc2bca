//! NoCloud's files: `user-data` (a Weir file), `meta-data` (the instance's id, a host name) and `network-config`. What hosts
//! write by themselves, such as Proxmox, has a `#cloud-config` for user-data: that is told, and the other two are taken.

use weir_config::model::MacAddress;

use super::disk::ReadFile;
use super::fault::{Fault, Problem};
use super::network_config::{self, mac_address};
use super::text::{Encoding, decode, weir_file};
use super::yaml::Node;
use super::{Answer, Machine, Seed};

/// Reads the files of the disk at `place`.
pub(super) fn read(machine: &Machine, place: &str, file: ReadFile<'_>) -> Answer {
    read_with(place, file, &|name| card_of(machine, name))
}

fn read_with(place: &str, file: ReadFile<'_>, mac_of: network_config::MacOf<'_>) -> Answer {
    let mut reader = Reader { place, file, seed: Seed::default(), faults: Vec::new() };
    reader.user_data("user-data");
    reader.meta_data("meta-data");
    if let Some(document) = reader.document("network-config") {
        let config = network_config::read(&document, mac_of);
        reader.network("network-config", config);
    }
    reader.answer()
}

/// The hardware address of the card that has this name now.
pub(super) fn card_of(machine: &Machine, name: &str) -> Option<MacAddress> {
    if name.contains(['/', '.']) {
        return None;
    }
    mac_address(&machine.line(&format!("sys/class/net/{name}/address"))?)
}

/// What of a disk is read so far. Each file is for itself: one that is broken leaves the others.
pub(super) struct Reader<'a> {
    place: &'a str,
    file: ReadFile<'a>,
    seed: Seed,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(place: &'a str, file: ReadFile<'a>) -> Self {
        Self { place, file, seed: Seed::default(), faults: Vec::new() }
    }

    pub(super) fn answer(self) -> Answer {
        Answer { found: Some((self.place.to_owned(), self.seed)), faults: self.faults }
    }

    pub(super) fn user_data(&mut self, path: &str) {
        self.seed.config = self.content(path, weir_file);
    }

    /// An instance's id and a host name, by the names that the makers of such disks give them.
    pub(super) fn meta_data(&mut self, path: &str) {
        let Some(document) = self.document(path) else { return };
        let (instance_id, hostname) = identity(&document);
        self.seed.instance_id = instance_id;
        self.seed.hostname = hostname;
    }

    pub(super) fn network(&mut self, path: &str, config: network_config::NetworkConfig) {
        self.seed.interfaces = config.interfaces;
        self.seed.name_servers = config.name_servers;
        for problem in config.problems {
            self.complain(path, problem);
        }
    }

    pub(super) fn document(&mut self, path: &str) -> Option<Node> {
        let text = self.content(path, decode)?;
        match Node::parse(&text) {
            Ok(document) => Some(document),
            Err(problem) => {
                self.complain(path, problem);
                None
            }
        }
    }

    fn content(
        &mut self,
        path: &str,
        decode: impl Fn(&[u8], Encoding) -> Result<Option<String>, Problem>,
    ) -> Option<String> {
        let bytes = (self.file)(path).map_err(Problem::from);
        let text = bytes.and_then(|bytes| bytes.map_or(Ok(None), |bytes| decode(&bytes, Encoding::Detect)));
        match text {
            Ok(text) => text,
            Err(problem) => {
                self.complain(path, problem);
                None
            }
        }
    }

    fn complain(&mut self, path: &str, problem: Problem) {
        self.faults.push(Fault { place: format!("{}, {path}", self.place), problem });
    }
}

/// The instance's id and the host name in a meta-data document.
pub(super) fn identity(document: &Node) -> (Option<String>, Option<String>) {
    let first = |keys: &[&str]| keys.iter().find_map(|key| document.text_at(key)).map(str::to_owned);
    let hostname = first(&["local-hostname", "local_hostname", "hostname", "name"]);
    (first(&["instance-id", "instance_id", "uuid"]), hostname.as_deref().and_then(host_part))
}

/// A name's first label, if it is one that a machine can have.
pub(super) fn host_part(name: &str) -> Option<String> {
    let label = name.trim().split('.').next().unwrap_or_default();
    let fits = (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-');
    if fits { Some(label.to_ascii_lowercase()) } else { None }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A disk of these files.
    pub(in super::super) fn disk(
        files: &[(&str, &str)],
    ) -> impl Fn(&str) -> std::io::Result<Option<Vec<u8>>> {
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        move |path| Ok(files.iter().find(|(name, _)| name == path).map(|(_, bytes)| bytes.clone()))
    }

    fn read(files: &[(&str, &str)]) -> (Seed, Vec<String>) {
        let answer = read_with("/dev/sr0 (cidata)", &disk(files), &|_| None);
        (answer.found.unwrap().1, answer.faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_whole_disk() {
        let (seed, faults) = read(&[
            ("user-data", "version: 1\n"),
            ("meta-data", "instance-id: iid-1\nlocal-hostname: LB1.example.com\n"),
            ("network-config", "version: 2\nethernets: {a: {dhcp4: true}}\n"),
        ]);
        assert_eq!(faults, [""; 0]);
        assert_eq!(seed.config.as_deref(), Some("version: 1\n"));
        assert_eq!((seed.instance_id.as_deref(), seed.hostname.as_deref()), (Some("iid-1"), Some("lb1")));
        assert_eq!(seed.interfaces.len(), 1);
    }

    #[test]
    fn a_cloud_config_is_told_and_the_rest_is_taken() {
        let (seed, faults) = read(&[
            ("user-data", "#cloud-config\nhostname: lb1\n"),
            ("meta-data", "instance-id: iid-1\n"),
            ("network-config", "version: 1\nconfig: [{type: nameserver, address: 192.0.2.53}]\n"),
        ]);
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].starts_with("/dev/sr0 (cidata), user-data: a #cloud-config, which only cloud-init"),
            "{faults:?}"
        );
        assert_eq!(seed.config, None);
        assert_eq!(seed.name_servers.len(), 1);
    }

    #[test]
    fn names_that_no_machine_can_have_are_left() {
        for (name, host) in [("a-1.b", Some("a-1")), ("-a", None), ("", None), ("a b", None)] {
            assert_eq!(host_part(name).as_deref(), host);
        }
    }
}
