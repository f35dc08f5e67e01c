//! What pages load beside themselves: the style sheet, the icon and two scripts, each under an address that changes with its
//! content, so that browsers may keep it for ever. Nothing comes from elsewhere.

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Digits of the digest in an address.
const DIGITS: usize = 12;

/// A file that pages load.
pub struct Asset {
    /// Its name.
    pub name: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
    /// Where pages find it: `/assets/…`.
    pub address: String,
}

macro_rules! asset {
    ($name:literal, $kind:literal) => {
        LazyLock::new(|| {
            let bytes: &[u8] = include_bytes!(concat!("../assets/", $name));
            let digest = HEXLOWER.encode(&Sha256::digest(bytes));
            Asset {
                name: $name,
                kind: $kind,
                bytes,
                address: format!("/assets/{}/{}", &digest[..DIGITS], $name),
            }
        })
    };
}

/// The style sheet.
pub static STYLE: LazyLock<Asset> = asset!("app.css", "text/css; charset=utf-8");
/// The icon.
pub static ICON: LazyLock<Asset> = asset!("icon.svg", "image/svg+xml");
/// htmx.
pub static HTMX: LazyLock<Asset> = asset!("htmx.min.js", "text/javascript; charset=utf-8");
/// Its extension for events that the server sends.
pub static EVENTS: LazyLock<Asset> = asset!("htmx-sse.min.js", "text/javascript; charset=utf-8");

/// The asset at this address, which begins with `/assets/`.
pub fn at(address: &str) -> Option<&'static Asset> {
    [&STYLE, &ICON, &HTMX, &EVENTS].into_iter().map(|asset| &**asset).find(|asset| asset.address == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_its_address_alone() {
        assert_eq!(at(&STYLE.address).map(|asset| asset.name), Some("app.css"));
        assert!(at("/assets/app.css").is_none() && at("/assets/../Cargo.toml").is_none());
        assert_ne!(HTMX.address, EVENTS.address);
    }

    #[test]
    fn vendored_files_are_the_ones_that_the_table_names() {
        let table = include_str!("../assets/README.md");
        for asset in [&HTMX, &EVENTS] {
            assert!(table.contains(&HEXLOWER.encode(&Sha256::digest(asset.bytes))), "{}", asset.name);
        }
    }
}
