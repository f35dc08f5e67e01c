//! IP networks: an address and the length of its prefix. IPv4 addresses in IPv6 clothes (`::ffff:192.0.2.1`) count as
//! the IPv4 addresses that they are.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network, or a single address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotANetwork {
    /// The part before the slash.
    #[error("is not an IP address or network")]
    Address,
    /// The part after it.
    #[error("has a prefix length that its kind of address does not have")]
    Prefix,
    /// `10.0.0.1/8`: one of the two is not meant.
    #[error("has bits set beyond its prefix length")]
    HostBits,
}

impl Cidr {
    /// Whether this address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Cidr, NotANetwork> {
        let (address, prefix) = match text.trim().split_once('/') {
            None => (text.trim(), None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let written: IpAddr = address.parse().map_err(|_| NotANetwork::Address)?;
        let address = written.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(NotANetwork::Prefix);
            }
            Some(digits) => {
                let length: u8 = digits.parse().map_err(|_| NotANetwork::Prefix)?;
                // A mapped network counts its prefix from the IPv6 end.
                let cut = if written.is_ipv6() && address.is_ipv4() { 96 } else { 0 };
                length.checked_sub(cut).ok_or(NotANetwork::Prefix)?
            }
        };
        if prefix > width {
            return Err(NotANetwork::Prefix);
        }
        let free = match address {
            IpAddr::V4(a) => a.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0) != 0,
            IpAddr::V6(a) => a.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0) != 0,
        };
        if free { Err(NotANetwork::HostBits) } else { Ok(Cidr { address, prefix }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("fd00::1/128", "fd00::1", "fd00::2"),
        ] {
            let cidr: Cidr = network.parse().unwrap();
            assert!(cidr.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!cidr.contains(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(cidr.to_string().parse(), Ok(cidr));
        }
    }

    #[test]
    fn garbage_is_refused() {
        for (text, why) in [
            ("", NotANetwork::Address),
            ("proxy", NotANetwork::Address),
            ("10.0.0/8", NotANetwork::Address),
            ("10.0.0.0/33", NotANetwork::Prefix),
            ("10.0.0.0/", NotANetwork::Prefix),
            ("10.0.0.0/+8", NotANetwork::Prefix),
            ("10.0.0.0/8/8", NotANetwork::Prefix),
            ("::1/129", NotANetwork::Prefix),
            ("::ffff:10.0.0.0/8", NotANetwork::Prefix),
            ("10.0.0.1/8", NotANetwork::HostBits),
            ("2001:db8::1/64", NotANetwork::HostBits),
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(why), "{text}");
        }
    }
}
