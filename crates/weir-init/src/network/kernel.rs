//! What the network reads and sets in files of the kernel (/sys, /proc/sys), and the host name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::ClockId;
use weir_config::model::bus_path;

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
    let path = bus_path(Path::new(&whole)).unwrap_or_default().to_owned();
    Place { path, whole, driver }
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
