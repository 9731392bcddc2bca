//! OpenStack's ConfigDrive: `openstack/latest/user_data` (a Weir file), `meta_data.json` (the instance's UUID, a host name)
//! and `network_data.json`.

use super::Answer;
use super::disk::ReadFile;
use super::network_config;
use super::nocloud::Reader;

/// Reads the files of the disk at `place`.
pub(super) fn read(place: &str, file: ReadFile<'_>) -> Answer {
    let mut reader = Reader::new(place, file);
    reader.user_data("openstack/latest/user_data");
    reader.meta_data("openstack/latest/meta_data.json");
    let path = "openstack/latest/network_data.json";
    if let Some(document) = reader.document(path) {
        reader.network(path, network_config::read_openstack(&document));
    }
    reader.answer()
}

#[cfg(test)]
mod tests {
    use super::super::nocloud::tests::disk;
    use super::*;

    #[test]
    fn a_whole_disk() {
        let disk = disk(&[
            ("openstack/latest/user_data", "version: 1\n"),
            (
                "openstack/latest/meta_data.json",
                r#"{"uuid": "83679162-1378", "hostname": "lb.novalocal", "name": "x"}"#,
            ),
            (
                "openstack/latest/network_data.json",
                r#"{"services": [{"type": "dns", "address": "192.0.2.53"}]}"#,
            ),
        ]);
        let answer = read("/dev/sr0 (config-2)", &disk);
        assert_eq!(answer.faults, []);
        let (_, seed) = answer.found.unwrap();
        assert_eq!(seed.config.as_deref(), Some("version: 1\n"));
        assert_eq!(
            (seed.instance_id.as_deref(), seed.hostname.as_deref()),
            (Some("83679162-1378"), Some("lb"))
        );
        assert_eq!(seed.name_servers.len(), 1);
    }
}
