//! The kernel's own word about devices: its uevents, as they come over netlink.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with, sockopt};

/// Bytes of one uevent; the kernel's own bound is 2 KiB of environment and a path.
const UEVENT_BYTES_MAX: usize = 8192;
/// Bytes of uevents that may wait in the kernel while a module is being loaded.
const WAITING_BYTES_MAX: usize = 2 << 20;
/// The kernel's group; 2 would be udev's.
const KERNEL: u32 = 1;

/// What of a uevent matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Uevent {
    pub(crate) action: String,
    /// Beneath `/sys`.
    pub(crate) path: String,
    pub(crate) subsystem: String,
    pub(crate) modalias: Option<String>,
    /// Beneath `/dev`.
    pub(crate) node: Option<String>,
}

impl Uevent {
    /// None for what isn't one: udev's messages, for example, begin otherwise.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = bytes.split(|&byte| byte == 0);
        let head = std::str::from_utf8(fields.next()?).ok()?;
        let (action, path) = head.split_once('@')?;
        let mut event = Self { action: action.to_owned(), path: path.to_owned(), ..Self::default() };
        for field in fields {
            let Some((key, value)) = std::str::from_utf8(field).ok().and_then(|f| f.split_once('=')) else {
                continue;
            };
            match key {
                "SUBSYSTEM" => value.clone_into(&mut event.subsystem),
                "MODALIAS" => event.modalias = Some(value.to_owned()),
                "DEVNAME" => event.node = Some(value.trim_start_matches("/dev/").to_owned()),
                _ => {}
            }
        }
        Some(event)
    }

    pub(crate) fn adds(&self) -> bool {
        self.action == "add"
    }
}

/// What was received.
#[derive(Debug)]
pub(crate) enum Received {
    Event(Uevent),
    /// Some were lost, as more came than may wait: look at every device again.
    Lost,
    /// None is waiting.
    Nothing,
}

/// The socket on which they come.
#[derive(Debug)]
pub(crate) struct Uevents(OwnedFd);

impl Uevents {
    pub(crate) fn open() -> rustix::io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(KOBJECT_UEVENT),
        )?;
        // Not having the room is no reason to do without.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, WAITING_BYTES_MAX);
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Self(socket))
    }

    /// The next one; with `wait`, when it comes.
    pub(crate) fn receive(&self, wait: bool) -> rustix::io::Result<Received> {
        let mut bytes = [0; UEVENT_BYTES_MAX];
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        loop {
            match recv(&self.0, &mut bytes, flags) {
                Ok((length, _)) => {
                    if let Some(event) = Uevent::parse(&bytes[..length]) {
                        return Ok(Received::Event(event));
                    }
                }
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(Errno::NOBUFS) => return Ok(Received::Lost),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_card_that_was_added() {
        let event = Uevent::parse(
            b"add@/devices/pci0000:00/0000:00:03.0/virtio0\0ACTION=add\0SUBSYSTEM=virtio\0MODALIAS=virtio:d00000001v00001AF4\0SEQNUM=1\0",
        )
        .unwrap();
        assert!(event.adds());
        assert_eq!(event.subsystem, "virtio");
        assert_eq!(event.path, "/devices/pci0000:00/0000:00:03.0/virtio0");
        assert_eq!(event.modalias.as_deref(), Some("virtio:d00000001v00001AF4"));
        assert_eq!(event.node, None);
    }

    #[test]
    fn reads_a_node_and_an_empty_value() {
        let event = Uevent::parse(b"add@/x\0SUBSYSTEM=input\0DEVNAME=input/event0\0MODALIAS=\0").unwrap();
        assert_eq!(event.node.as_deref(), Some("input/event0"));
        assert_eq!(event.modalias.as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_uevent_is_none() {
        assert_eq!(Uevent::parse(b"libudev\0\xfe\xed\xca\xfe"), None);
        assert_eq!(Uevent::parse(b""), None);
        assert_eq!(Uevent::parse(b"\xff@x"), None);
    }
}
