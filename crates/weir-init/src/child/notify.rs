//! The child's word that it serves and that it lives: sd_notify's protocol, datagrams on a socket of the file system, so
//! that `weir run` says the same to systemd elsewhere.

use std::os::unix::net::UnixDatagram;

use crate::{Event, Teller, threads};

/// Where it is.
pub(super) const SOCKET: &str = "/run/weir/notify";
/// Bytes of one datagram.
const BYTES_MAX: usize = 512;

/// What the child says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// Every listener is bound.
    Ready,
    /// The data plane lives.
    Alive,
}

/// Listens; tells [`Event::Serving`] and [`Event::Alive`].
pub(crate) fn listen(teller: Teller) -> std::io::Result<()> {
    let _ = std::fs::remove_file(SOCKET);
    let socket = UnixDatagram::bind(SOCKET)?;
    std::os::unix::fs::chown(SOCKET, None, Some(crate::files::WEIR))?;
    std::fs::set_permissions(SOCKET, std::os::unix::fs::PermissionsExt::from_mode(0o660))?;
    threads::start("notify", move || {
        let mut bytes = [0; BYTES_MAX];
        while let Ok(length) = socket.recv(&mut bytes) {
            let heard = words(&bytes[..length]).all(|word| match word {
                Word::Ready => teller.tell(Event::Serving),
                Word::Alive => teller.tell(Event::Alive),
            });
            if !heard {
                return;
            }
        }
    });
    Ok(())
}

fn words(bytes: &[u8]) -> impl Iterator<Item = Word> {
    bytes.split(|&byte| byte == b'\n').filter_map(|line| match line {
        b"READY=1" => Some(Word::Ready),
        b"WATCHDOG=1" => Some(Word::Alive),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hears_what_systemd_would() {
        let heard: Vec<Word> = words(b"READY=1\nSTATUS=serving\nWATCHDOG=1\n").collect();
        assert_eq!(heard, [Word::Ready, Word::Alive]);
        assert_eq!(words(b"READY=0\nFDSTORE=1").count(), 0);
    }
}
