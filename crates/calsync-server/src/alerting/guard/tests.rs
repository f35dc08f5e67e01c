//! The table of addresses: what each is taken for, and what allows it.

use super::*;

fn verdict(address: &str, allowed: &[&str]) -> Result<(), Refused> {
    let allowed: Vec<Cidr> = allowed.iter().map(|network| network.parse().unwrap()).collect();
    judge(address.parse().unwrap(), &allowed)
}

#[test]
fn every_kind_of_address_that_is_not_of_the_public_internet_is_refused() {
    for (why, addresses) in [
        (Refused::Loopback, "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1"),
        (Refused::Unspecified, "0.0.0.0 :: ::ffff:0.0.0.0 64:ff9b::"),
        (
            Refused::Private,
            "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 \
             fc00:: fdff:ffff::1 fec0::1 feff::1 ::ffff:10.1.2.3 64:ff9b::192.168.0.1 2a00::5efe:10.0.0.1 2a00::200:5efe:10.0.0.1",
        ),
        (Refused::LinkLocal, "169.254.0.1 169.254.255.255 fe80::1 febf:ffff::1 ::ffff:169.254.1.1"),
        (Refused::CarrierNat, "100.64.0.0 100.127.255.255 ::ffff:100.64.0.1"),
        (Refused::Multicast, "224.0.0.1 239.255.255.255 ff00:: ff02::1 ffff::1"),
        (
            Refused::Documentation,
            "192.0.2.1 198.51.100.255 203.0.113.0 2001:db8::1 2001:db8:ffff::1 3fff::1 3fff:fff:ffff::1",
        ),
        (Refused::Benchmark, "198.18.0.0 198.19.255.255 2001:2::1 2001:2:0:ffff::1"),
        (
            Refused::Metadata,
            "169.254.169.254 100.100.100.200 192.0.0.192 168.63.129.16 fd00:ec2::254 fd20:ce::254 \
             ::ffff:169.254.169.254 64:ff9b::169.254.169.254",
        ),
        (
            Refused::Transition,
            "192.88.99.1 ::127.0.0.1 ::8.8.8.8 ::ffff:0:127.0.0.1 2001::1 2001:0:7f00:1::1 2002:7f00:1::1 \
             2002:a00:1::1 2002:808:808::1 64:ff9b:1::7f00:1 2a00::5efe:8.8.8.8",
        ),
        (
            Refused::Reserved,
            "0.0.0.1 0.255.255.255 192.0.0.1 240.0.0.1 255.255.255.255 100::1 5f00::1 1fff::1 4000::1 \
             2001:1::1 2001:1ff::1 fe00::1",
        ),
    ] {
        for address in addresses.split_whitespace() {
            assert_eq!(verdict(address, &[]), Err(why), "{address}");
        }
    }
}

#[test]
fn the_public_internet_is_let_through_to_its_edges() {
    for address in "1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
                    168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 \
                    192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 \
                    203.0.112.255 203.0.114.0 223.255.255.255 2000:: 2001:200::1 2001:db7::1 2001:db9::1 2003::1 \
                    2606:4700::1111 3ffe::1 3fff:1000::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8"
        .split_whitespace()
    {
        assert_eq!(verdict(address, &[]), Ok(()), "{address}");
    }
}

#[test]
fn what_the_operator_lists_is_let_through_and_nothing_beside_it() {
    for (address, network) in [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("10.2.3.4", "10.0.0.0/8"),
        ("fd00::1", "fd00::/8"),
        ("169.254.169.254", "169.254.169.254"),
        ("2002:a00:1::1", "2002::/16"),
    ] {
        assert_eq!(verdict(address, &["192.168.7.0/24", network]), Ok(()), "{address} {network}");
        assert!(verdict(address, &["192.168.7.0/24"]).is_err(), "{address}");
    }
    // Wrapped, it is another way to the same place, which nobody has allowed.
    assert_eq!(verdict("64:ff9b::10.0.0.1", &["10.0.0.0/8"]), Err(Refused::Private));
    assert_eq!(verdict("::ffff:10.0.0.1", &["::/0"]), Err(Refused::Private));
    assert_eq!(verdict("10.0.0.1", &["10.0.0.2"]), Err(Refused::Private));
}

#[test]
fn an_address_in_a_url_is_found_in_any_spelling_and_a_name_is_left_to_the_resolver() {
    let literal = |url: &str| refused_literal(&Url::parse(url).unwrap(), &[]).map(|(address, _)| address);
    for url in [
        "http://127.1/",
        "https://0x7f.1",
        "http://2130706433",
        "http://0177.0.0.1:80/x",
        "http://127.0.0.1.",
    ] {
        assert_eq!(literal(url), Some(IpAddr::from(Ipv4Addr::LOCALHOST)), "{url}");
    }
    assert_eq!(literal("http://localhost/"), None);
    assert_eq!(literal("http://8.8.8.8/"), None);
}
