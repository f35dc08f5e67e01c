//! What an operator writes: the configuration file and variables, addresses of servers and of where messages go, and keys.

use std::path::PathBuf;

use calsync_core::rollout;
use calsync_server::alerting::destination::{Destination, Hook};
use calsync_server::alerting::guard;
use calsync_server::config::registry::KEYS;
use calsync_server::config::show::show;
use calsync_server::config::{DatabaseUrl, Problems, Sources, load};
use calsync_server::http::cidr::Cidr;
use calsync_server::redis::Address;
use std::net::IpAddr;
use url::Url;

use crate::CANARY;
use crate::material::{has_canary, keeps_the_secret, pairs};

/// Divides the file from the variables.
const DIVIDER: &str = "\n%%\n";
/// A setting that names a file is not followed to where reading never ends.
const ENDLESS: [&str; 2] = ["/dev", "/proc"];

/// A configuration file, and variables after it.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if ENDLESS.iter().any(|place| text.contains(place)) {
        return;
    }
    let (file, variables) = text.split_once(DIVIDER).unwrap_or((text, ""));
    let variables: Vec<(String, String)> =
        pairs(variables, '=').into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let first = judged(file, &variables);
    assert_eq!(first, judged(file, &variables), "the same settings are judged the same");
    if let Err(problems) = first {
        for problem in &problems.0 {
            let is_told = !problem.key.is_empty() || problem.place.is_some();
            assert!(is_told && !problem.message.is_empty(), "a problem without a place: {problem:?}");
            if problem.key.is_empty() {
                keeps_the_secret(&problem.to_string());
            }
        }
    }
    if !has_canary(data)
        && let Ok(mut table) = file.parse::<toml::Table>()
    {
        for secret in [CANARY.to_owned(), format!("https://hooks.example.com/{CANARY}")] {
            plant(&mut table, &secret);
            let planted = toml::to_string(&table).expect("what was read can be written");
            if let Err(problems) = judged(&planted, &variables) {
                keeps_the_secret(&problems.to_string());
                keeps_the_secret(&format!("{problems:?}"));
            }
        }
    }
}

/// What is wrong; where nothing is, the settings are shown without a secret.
fn judged(file: &str, variables: &[(String, String)]) -> Result<(), Problems> {
    let place = (PathBuf::from("calendar-sync.toml"), file.to_owned());
    let loaded = load(&Sources::new(Some(place), variables.iter().cloned()))?;
    for shown in show(&loaded) {
        let key = KEYS.iter().find(|key| key.path() == shown.key).expect("what is shown is a setting");
        if key.kind.is_secret() {
            keeps_the_secret(&shown.value.to_string());
            assert!(shown.value.is_null() || shown.value == "[secret]", "{} is shown", shown.key);
        }
    }
    Ok(())
}

/// Puts a text in the place of every secret that is set.
fn plant(table: &mut toml::Table, secret: &str) {
    for key in KEYS.iter().filter(|key| key.kind.is_secret()) {
        let section = key
            .section
            .split('.')
            .try_fold(&mut *table, |table, name| table.get_mut(name).and_then(toml::Value::as_table_mut));
        if let Some(value) = section.and_then(|section| section.get_mut(key.name)) {
            *value = toml::Value::String(secret.to_owned());
        }
    }
}

/// Where something is: webhooks, mailboxes, databases, Redis, networks. One text, taken for each of them.
pub fn places(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(hook) = Hook::parse(text) {
        hides_all_but_the_host(&hook);
        assert!(matches!(hook.url().scheme(), "http" | "https"));
        assert!(
            Hook::parse(hook.url().as_str()).as_ref() == Some(&hook),
            "what is read and written is the same"
        );
        leads_outside(hook.url());
    }
    if let Some(Destination::Email(address)) = Destination::parse(text) {
        assert_eq!(rollout::address(&address).as_ref(), Ok(&address), "an address is kept in one form");
    }
    if let Ok(network) = text.parse::<Cidr>() {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    if let Ok(mut url) = Url::parse(text) {
        leads_outside(&url);
        if !has_canary(data) && url.set_password(Some(CANARY)).is_ok() {
            if let Some(place) = Address::parse(url.as_str()) {
                keeps_the_secret(&format!("{place} {place:?}"));
            }
            if let Some(place) = DatabaseUrl::parse(url.as_str()).filter(DatabaseUrl::is_server) {
                keeps_the_secret(&format!("{place} {place:?}"));
            }
            assert!(Hook::parse(url.as_str()).is_none(), "a webhook with a password: {url}");
            assert!(!DatabaseUrl::may_repeat(url.as_str()), "an error would repeat {url}");
        }
    }
}

fn hides_all_but_the_host(hook: &Hook) {
    let shown = format!("{hook:?}");
    assert_eq!(shown, format!("{}://{}/[secret]", hook.url().scheme(), hook.host()));
    if hook.url().path().len() > 1 {
        assert!(hook.is_repeated_by(hook.url().as_str()), "{}", hook.url());
    }
}

/// No literal address of this machine or its neighbours gets by, whatever it is wrapped in.
fn leads_outside(url: &Url) {
    // A host is read for an address by the rules of the web's own schemes, and the client knows no other.
    if !matches!(url.scheme(), "http" | "https") {
        return;
    }
    let Some(address) = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok())
    else {
        return;
    };
    let refused = guard::refused_literal(url, &[]);
    assert_eq!(refused.is_some(), guard::judge(address, &[]).is_err(), "{url}");
    if is_inside(address) {
        assert!(refused.is_some(), "{url} leads inside");
    }
    // What the operator lists is let through, in any spelling.
    let alone: Cidr = address.to_string().parse().expect("an address is a network of one");
    assert!(guard::refused_literal(url, &[alone]).is_none(), "{url}");
}

/// The standard library's own word for it.
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.is_documentation()
        }
        IpAddr::V6(v6) => {
            let wrapped = v6.to_ipv4().map(IpAddr::V4);
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || wrapped.is_some_and(is_inside)
        }
    }
}
