//! What the network reads and sets in files of the kernel (/sys, /proc/sys), the host name, and the one way in which
//! files are replaced.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::ClockId;

/// Where a card is on its bus, and who drives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// As `/sys/bus/pci/devices` writes it, else the device's name on Xen and Hyper-V.
    pub(super) path: String,
    /// All the way from the root of the devices, which sorts cards as the firmware counted them.
    pub(super) whole: String,
    /// Such as `virtio_net`; empty where nobody says.
    pub(super) driver: String,
}

/// Of the card with this name.
pub(super) fn place(name: &str) -> Place {
    let device = Path::new("/sys/class/net").join(name).join("device");
    let whole = fs::canonicalize(&device).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let driver = fs::canonicalize(device.join("driver")).unwrap_or_default();
    let driver = driver.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Place { path: bus_path(&whole), whole, driver }
}

/// The last PCI address on the way to a device: a virtio card is a device of its own below that of the bus. Else the
/// device's own name: `vif-0`, a GUID on Hyper-V's bus, `virtio0` where there is no PCI.
fn bus_path(whole: &str) -> String {
    let pieces = || whole.split('/').rev();
    pieces().find(|piece| is_pci_address(piece)).or_else(|| pieces().next()).unwrap_or_default().to_owned()
}

/// `0000:00:03.0`, where the first number may be longer (Hyper-V's virtual functions).
fn is_pci_address(text: &str) -> bool {
    let hex =
        |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut pieces = text.split(':');
    match (pieces.next(), pieces.next(), pieces.next(), pieces.next()) {
        (Some(domain), Some(bus), Some(rest), None) => {
            let device = rest.split_once('.');
            hex(domain, 4)
                && hex(bus, 2)
                && device.is_some_and(|(device, function)| hex(device, 2) && hex(function, 1))
        }
        _ => false,
    }
}

/// Sets `/proc/sys/net/FAMILY/conf/CARD/KEY`; whether it had another value.
pub(super) fn set(family: &str, card: &str, key: &str, value: &str) -> io::Result<bool> {
    let path: PathBuf = ["/proc/sys/net", family, "conf", card, key].iter().collect();
    if fs::read_to_string(&path)?.trim() == value {
        return Ok(false);
    }
    fs::write(&path, value)?;
    Ok(true)
}

/// What the machine calls itself.
pub(super) fn set_hostname(name: &str) -> io::Result<()> {
    Ok(rustix::system::sethostname(name.as_bytes())?)
}

/// Since the start, sleep included: what leases and all waits here are counted by. Nobody sets this clock.
pub(super) fn now() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// Writes a file beside `path` and has it take its place: a reader sees the old or the new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(content)?;
    drop(file);
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_on_the_bus() {
        for (whole, path) in [
            ("/sys/devices/pci0000:00/0000:00:03.0/virtio0", "0000:00:03.0"),
            ("/sys/devices/pci0000:00/0000:00:15.0/0000:03:00.0", "0000:03:00.0"),
            ("/sys/devices/vif-0", "vif-0"),
            (
                "/sys/devices/LNXSYSTM:00/VMBUS:00/1b2c3d4e-0000-1111-2222-333344445555",
                "1b2c3d4e-0000-1111-2222-333344445555",
            ),
            ("/sys/devices/platform/LNRO0005:01/virtio1", "virtio1"),
            ("", ""),
        ] {
            assert_eq!(bus_path(whole), path);
        }
    }
}
