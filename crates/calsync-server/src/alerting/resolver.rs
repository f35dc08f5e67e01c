//! From a name to addresses that may be connected to, once per connection: the client connects to exactly what was judged
//! here, so a name that answers differently the next moment gains nothing. It never hands out an address that the guard
//! refuses.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{self, Refused};
use crate::http::cidr::Cidr;

/// So many addresses of one name are tried.
const ADDRESSES_MAX: usize = 16;

/// Who knows the addresses of names. A trait, so that tests can have names that lie.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of a name.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|at| at.ip()).collect())
    }
}

/// An address that the guard refuses, as an error of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{address} is {why}")]
pub(super) struct Forbidden {
    pub(super) address: IpAddr,
    pub(super) why: Refused,
}

/// The resolver that the client is given.
#[derive(Clone)]
pub(super) struct Guarded {
    lookup: Arc<dyn Lookup>,
    allowed: Arc<[Cidr]>,
}

impl Guarded {
    pub(super) fn new(lookup: Arc<dyn Lookup>, allowed: Arc<[Cidr]>) -> Guarded {
        Guarded { lookup, allowed }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let Guarded { lookup, allowed } = self.clone();
        Box::pin(async move {
            let found = lookup.lookup(name.as_str()).await?;
            let addresses = admitted(found, &allowed)?;
            // The port is the URL's.
            Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// All of them or none: a name that leads to the inside as well as to the outside is not meant for us.
fn admitted(found: Vec<IpAddr>, allowed: &[Cidr]) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
    for address in &found {
        guard::judge(*address, allowed).map_err(|why| Forbidden { address: *address, why })?;
    }
    if found.is_empty() {
        return Err(io::Error::other("failed to lookup address: the name has none").into());
    }
    Ok(found.into_iter().take(ADDRESSES_MAX).collect())
}
