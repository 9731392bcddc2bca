//! The addresses of every card, which no file tells: the kernel is asked (getifaddrs(3), which asks by netlink).

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// Addresses with the length of their prefix, by the kernel's name of the card.
pub(super) type Addresses = Vec<(String, String)>;

/// Every address of this network namespace.
pub(super) fn all() -> Addresses {
    let Ok(found) = getifaddrs() else { return Vec::new() };
    let addresses = found.filter_map(|one| {
        let ip = ip(&one.address?)?;
        let prefix = one.netmask.as_ref().and_then(self::ip).map_or(full(ip), prefix_length);
        Some((one.interface_name, format!("{ip}/{prefix}")))
    });
    addresses.collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))
}

fn full(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn prefix_length(mask: IpAddr) -> u32 {
    match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_the_loopback_address() {
        // A network without any, such as of a sandbox, has nothing to tell.
        let all = all();
        let of_lo: Vec<_> = all.iter().filter(|(name, _)| name == "lo").collect();
        assert!(of_lo.is_empty() || of_lo.iter().any(|(_, address)| address == "127.0.0.1/8"), "{all:?}");
    }

    #[test]
    fn a_mask_is_told_by_its_length() {
        assert_eq!(prefix_length(IpAddr::from([255, 255, 240, 0])), 20);
        assert_eq!(prefix_length("ffff:ffff:ffff:ffff::".parse().unwrap()), 64);
    }
}
