//! Which addresses a URL that somebody chose may lead to: the public internet, and what the operator lists. Everything
//! that could be this machine, its neighbours or the provider of its cloud is refused (server-side request forgery). Pure;
//! the resolver and the transport ask it about every address before they connect to just that one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::http::cidr::Cidr;

/// Why an address is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refused {
    /// Where clouds tell a machine about itself, its credentials included.
    Metadata,
    /// This machine.
    Loopback,
    /// No address at all; many systems take it for this machine.
    Unspecified,
    /// A private network (RFC 1918, RFC 4193).
    Private,
    /// The wire that this machine is on.
    LinkLocal,
    /// Between a provider and its customers (RFC 6598).
    CarrierNat,
    /// Many at once.
    Multicast,
    /// For examples (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// For measurements (RFC 2544).
    Benchmark,
    /// An IPv4 address in the clothes of an old transition scheme, which may lead anywhere.
    Transition,
    /// Not given to anybody on the internet.
    Reserved,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Metadata => "a cloud's metadata service",
            Refused::Loopback => "this machine itself",
            Refused::Unspecified => "the unspecified address",
            Refused::Private => "a private network",
            Refused::LinkLocal => "a link-local address",
            Refused::CarrierNat => "a provider's internal network",
            Refused::Multicast => "a multicast address",
            Refused::Documentation => "an address for documentation",
            Refused::Benchmark => "an address for measurements",
            Refused::Transition => "an IPv4 address wrapped for a transition scheme",
            Refused::Reserved => "a reserved address",
        })
    }
}

/// Whether we may connect to this address.
///
/// # Errors
/// What kind of address it is, if it is none of the public internet and in no network that is allowed.
pub fn judge(address: IpAddr, allowed: &[Cidr]) -> Result<(), Refused> {
    // `::ffff:10.0.0.1` is 10.0.0.1: the system connects to the same place.
    let refused = match address.to_canonical() {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    };
    match refused {
        Some(why) if !allowed.iter().any(|network| network.contains(address)) => Err(why),
        _ => Ok(()),
    }
}

/// Addresses at which clouds serve metadata and that nothing else gives away: Azure's host lies in the public range.
/// AWS, Google, Azure and others; Alibaba; Oracle; Azure's host.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
/// AWS; Google.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254),
];

/// IANA's registry of special-purpose IPv4 addresses, and multicast.
fn special_v4(address: Ipv4Addr) -> Option<Refused> {
    if METADATA_V4.contains(&address) {
        return Some(Refused::Metadata);
    }
    match address.octets() {
        [0, 0, 0, 0] => Some(Refused::Unspecified),
        [0, ..] => Some(Refused::Reserved),
        [127, ..] => Some(Refused::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Refused::Private),
        [100, 64..=127, ..] => Some(Refused::CarrierNat),
        [169, 254, ..] => Some(Refused::LinkLocal),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Refused::Documentation),
        [198, 18..=19, ..] => Some(Refused::Benchmark),
        // The relays of 6to4.
        [192, 88, 99, _] => Some(Refused::Transition),
        [192, 0, 0, _] | [240..=255, ..] => Some(Refused::Reserved),
        [224..=239, ..] => Some(Refused::Multicast),
        _ => None,
    }
}

/// Only 2000::/3 is given out to the internet (RFC 4291 §2.4), and not all of that. What wraps an IPv4 address is judged
/// by what it wraps where it is in use today, and refused where it is not.
fn special_v6(address: Ipv6Addr) -> Option<Refused> {
    if METADATA_V6.contains(&address) {
        return Some(Refused::Metadata);
    }
    if address == Ipv6Addr::UNSPECIFIED {
        return Some(Refused::Unspecified);
    }
    if address == Ipv6Addr::LOCALHOST {
        return Some(Refused::Loopback);
    }
    let wrapped = Ipv4Addr::from_bits(u32::try_from(address.to_bits() & 0xffff_ffff).unwrap_or_default());
    match address.segments() {
        // NAT64 (RFC 6052): a network without IPv4 reaches all of the internet's through it.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => special_v4(wrapped),
        // Of one's own network's NAT64 (RFC 8215); IPv4-compatible and IPv4-translated; Teredo; 6to4.
        [0x64, 0xff9b, 1, ..]
        | [0, 0, 0, 0, 0, 0, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x2001, 0, ..]
        | [0x2002, ..] => Some(Refused::Transition),
        // ISATAP (RFC 5214), in any network.
        [.., 0 | 0x200, 0x5efe, _, _] => special_v4(wrapped).or(Some(Refused::Transition)),
        [0xfe80..=0xfebf, ..] => Some(Refused::LinkLocal),
        // Site-local: gone from the standards, still in networks.
        [0xfec0..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Some(Refused::Private),
        [0xff00..=0xffff, ..] => Some(Refused::Multicast),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Refused::Documentation),
        [0x2001, 2, 0, ..] => Some(Refused::Benchmark),
        [0x2001, 0..=0x1ff, ..] => Some(Refused::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Refused::Reserved),
    }
}

/// The address that a URL names itself, if it names one and it is refused. `127.1`, `0x7f000001`, `2130706433` and their
/// like in full-width digits are addresses here: the URL was read by the rules that the client reads it by.
pub fn refused_literal(url: &Url, allowed: &[Cidr]) -> Option<(IpAddr, Refused)> {
    let address = match url.host()? {
        Host::Ipv4(v4) => IpAddr::V4(v4),
        Host::Ipv6(v6) => IpAddr::V6(v6),
        Host::Domain(_) => return None,
    };
    judge(address, allowed).err().map(|why| (address, why))
}

#[cfg(test)]
mod tests;
