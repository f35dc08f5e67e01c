//! Who is calling, and by which scheme: the TCP peer, unless that is a trusted proxy; then what the proxies say, read
//! from the nearest backwards and only as far as trusted ones wrote it. Pure; headers from anybody else are ignored.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use super::cidr::Cidr;

/// How many hops are followed: a longer chain is an attack, not a network.
const MAX_HOPS: usize = 32;
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The address of the client of this request, for limits and logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddr(pub IpAddr);

/// How the client reached us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// By https, as a trusted proxy says.
    Https,
    /// In clear, or nobody whom we trust says otherwise.
    Http,
}

/// The client's address.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> ClientAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest) {
        return ClientAddr(nearest);
    }
    let values: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(|value| value.as_bytes()).collect();
    let hops = values.iter().rev().flat_map(|value| value.rsplit(|b| *b == b','));
    for hop in hops.take(MAX_HOPS) {
        // What can't be read was not written by a proxy that we can trust: the one before it is the client.
        let Some(address) = parse_hop(hop) else { break };
        nearest = address;
        if !is_trusted(address) {
            break;
        }
    }
    ClientAddr(nearest)
}

/// The scheme. Several proxies may have written one each: it counts as https only if all of them say so.
pub fn scheme(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> Scheme {
    if !trusted.iter().any(|network| network.contains(peer)) {
        return Scheme::Http;
    }
    let mut said = headers
        .get_all(FORWARDED_PROTO)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .peekable();
    if said.peek().is_some() && said.all(|word| word.eq_ignore_ascii_case(b"https")) {
        Scheme::Https
    } else {
        Scheme::Http
    }
}

/// One entry: an address, perhaps with a port, brackets or quotes, as different proxies write it.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim().trim_matches('"');
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed
        .unwrap_or(text)
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()))
        .ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, axum::http::HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<Cidr> = ["10.0.0.0/8", "fd00::/8"].iter().map(|c| c.parse().unwrap()).collect();
        let values: Vec<&[u8]> = forwarded.iter().map(|v| v.as_bytes()).collect();
        client_address(peer.parse().unwrap(), &headers(FORWARDED_FOR, &values), &trusted).0.to_string()
    }

    #[test]
    fn the_header_counts_only_from_a_trusted_peer() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("fd00::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_walk_goes_right_to_left_past_trusted_hops() {
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"]),
            "198.51.100.7",
            "the left is forged"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "198.51.100.7", "10.0.0.2"]),
            "198.51.100.7",
            "several lines are one"
        );
        assert_eq!(client("10.0.0.1", &["10.0.0.9, 10.0.0.2"]), "10.0.0.9", "a client inside");
        assert_eq!(client("10.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn ports_brackets_and_quotes_are_understood() {
        for (written, meant) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("  198.51.100.7  ", "198.51.100.7"),
        ] {
            assert_eq!(client("10.0.0.1", &[written]), meant);
        }
    }

    #[test]
    fn garbage_ends_the_walk_at_the_last_known_hop() {
        for garbage in ["", ",", "unknown", "_hidden", "999.1.1.1", "1.1.1.1;x", "198.51.100.7, evil"] {
            assert_eq!(client("10.0.0.1", &[garbage]), "10.0.0.1", "{garbage}");
        }
        assert_eq!(client("10.0.0.1", &["198.51.100.7, x, 10.0.0.2"]), "10.0.0.2");
        let long = "10.0.0.2, ".repeat(10_000) + "10.0.0.3";
        assert_eq!(client("10.0.0.1", &[&long]), "10.0.0.2", "the walk is bounded");
        let bytes = headers(FORWARDED_FOR, &[b"\xff\xfe"]);
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(client_address("10.0.0.1".parse().unwrap(), &bytes, &trusted).0.to_string(), "10.0.0.1");
    }

    #[test]
    fn https_is_believed_only_when_every_trusted_hop_says_so() {
        let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
        for (peer, said, expected) in [
            ("10.0.0.1", &[&b"https"[..]][..], Scheme::Https),
            ("10.0.0.1", &[b"HTTPS"], Scheme::Https),
            ("10.0.0.1", &[b"https, https"], Scheme::Https),
            ("10.0.0.1", &[b"https, http"], Scheme::Http),
            ("10.0.0.1", &[b"https", b"http"], Scheme::Http),
            ("10.0.0.1", &[b"http"], Scheme::Http),
            ("10.0.0.1", &[b""], Scheme::Http),
            ("10.0.0.1", &[], Scheme::Http),
            ("192.0.2.1", &[b"https"], Scheme::Http),
        ] {
            let headers = headers(FORWARDED_PROTO, said);
            assert_eq!(scheme(peer.parse().unwrap(), &headers, &trusted), expected, "{peer} {said:?}");
        }
    }
}
