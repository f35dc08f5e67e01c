//! How long the certificate at the public address will be believed. It is not read: the chain that is shown is judged as any client
//! would judge it, at other times than now, so that whatever in it ends first is what counts.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::time::Ts;
use jiff::SignedDuration;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use super::{PATIENCE, Unreached, silent};

/// It is not looked further than this, into the past or the future.
const HORIZON: SignedDuration = SignedDuration::from_hours(800 * 24);
/// A moment is found as precisely as this.
const PRECISE: SignedDuration = SignedDuration::from_mins(1);

/// When a chain is believed, as far as it was looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// From then on.
    pub from: Ts,
    /// Until then.
    pub until: Ts,
}

impl Life {
    /// How long in all.
    pub fn length(self) -> SignedDuration {
        self.until.since(self.from)
    }

    /// How much of it is left.
    pub fn left(self, now: Ts) -> SignedDuration {
        self.until.since(now)
    }
}

/// The life of the chain that is shown at this address. `None`: it is not encrypted.
pub(super) async fn life(base: &str, now: Ts) -> Result<Option<Life>, Unreached> {
    let url = Url::parse(base).map_err(|e| silent(&e))?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Ok(None) };
    if url.scheme() != "https" {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.build().map_err(|e| silent(&e))?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|e| silent(&e))?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| silent(&e))?.with_webpki_verifier(verifier.clone()).with_no_client_auth();
    let shown = timeout(PATIENCE, async {
        let socket = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name.clone(), socket).await?;
        let (_, session) = stream.get_ref();
        Ok::<_, std::io::Error>(
            session
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|c| c.clone().into_owned())
                .collect::<Vec<_>>(),
        )
    });
    let chain = shown.await.map_err(|e| silent(&e))?.map_err(|e| silent(&e))?;
    Ok(lived(&chain, &name, verifier.as_ref(), now))
}

/// `None`: it is not believed now.
fn lived(
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    verifier: &dyn ServerCertVerifier,
    now: Ts,
) -> Option<Life> {
    let (own, others) = chain.split_first()?;
    let is_believed = |at: Ts| {
        let seconds = u64::try_from(at.millis() / 1_000).unwrap_or_default();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_server_cert(own, others, name, &[], at).is_ok()
    };
    is_believed(now).then(|| Life {
        from: edge(now, now.minus(HORIZON), is_believed),
        until: edge(now, now.plus(HORIZON), is_believed),
    })
}

/// The last moment from `holds`, where it does, towards `far` at which it still holds.
fn edge(holds: Ts, far: Ts, is_so: impl Fn(Ts) -> bool) -> Ts {
    if is_so(far) {
        return far;
    }
    let (mut inside, mut outside) = (holds, far);
    while outside.since(inside).abs() > PRECISE {
        let middle = inside.plus(outside.since(inside) / 2);
        if is_so(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_found_on_both_sides() {
        let at = Ts::from_secs;
        let (now, from, until) = (at(1_800_000_000), at(1_799_000_007), at(1_803_210_000));
        let is_so = |t: Ts| (from..=until).contains(&t);
        for (far, wanted) in [(now.minus(HORIZON), from), (now.plus(HORIZON), until)] {
            let found = edge(now, far, is_so);
            assert!(is_so(found) && wanted.since(found).abs() <= PRECISE, "{found} for {wanted}");
        }
        assert_eq!(edge(now, now.plus(HORIZON), |_| true), now.plus(HORIZON), "not looked for further");
    }
}
