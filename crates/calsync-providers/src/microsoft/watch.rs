//! Opening, prolonging and closing subscriptions (microsoft.md §8): one per calendar, for `me/events` is silent for all but
//! the default one. While one is opened, Graph calls our webhook address back: its answer must not wait for us.

use calsync_core::ports::{ErrorClass, ProviderError, RenewRequest, WatchRequest, Watching};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use url::Url;

use super::MicrosoftAccount;
use super::error::Operation;
use super::list;
use super::resource::SubscriptionResource;
use crate::transport::Call;
use crate::wire::Reply;

/// The life asked for. Graph allows nearly seven days; but the leave to deliver is tied to the token that was used last,
/// so that a renewal every day is wanted anyhow (§8, "Stored token"), and channels are renewed a day before their end.
pub(super) const LIFE: SignedDuration = SignedDuration::from_hours(48);
/// The first delta after a push may be empty (microsoft.md §10 row 15).
pub(super) const DELTA_LAGS: SignedDuration = SignedDuration::from_secs(10);
/// Longest life that is surely taken (§8: 10,070 minutes were refused).
const LIFE_MAX: SignedDuration = SignedDuration::from_mins(10_000);
/// Shortest life: what is below is raised to it.
const LIFE_MIN: SignedDuration = SignedDuration::from_mins(45);
/// Longest `clientState` (§8).
const TOKEN_MAX: usize = 128;
/// What is told of.
const CHANGE_TYPES: &str = "created,updated,deleted";
/// Most pages of subscriptions walked: a mailbox has at most 1,000 of all apps.
const PAGES_MAX: usize = 20;
/// Most subscriptions closed to make room for one.
const REPLACED_MAX: usize = 10;

impl MicrosoftAccount {
    pub(super) async fn open_channel(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        let token = request.token.expose().len();
        if token == 0 || token > TOKEN_MAX {
            let detail = "subscriptions.create: the channel token must have 1 to 128 characters";
            return Err(ProviderError::new(ErrorClass::Invalid, detail));
        }
        match self.subscribe(request).await {
            // Its answer was lost, or it is of an earlier life of ours: whatever secret it was opened with, we hold no more
            // than a hash of it. It makes room.
            Err(error) if error.class == ErrorClass::Exists => {
                if self.close_those_before(request).await? == 0 {
                    let detail = format!(
                        "{} for another address: perhaps another installation uses the same app for this account",
                        error.detail
                    );
                    return Err(ProviderError { detail, ..error });
                }
                self.subscribe(request).await
            }
            opened => opened,
        }
    }

    async fn subscribe(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        let ends = ends_at(request.now, request.life);
        let body = json!({
            "changeType": CHANGE_TYPES,
            "notificationUrl": request.url,
            // It can't be added later (§8).
            "lifecycleNotificationUrl": request.url,
            "resource": resource(&request.calendar),
            "expirationDateTime": ends.to_string(),
            "clientState": request.token.expose(),
        });
        let call = Call {
            operation: Operation::Subscribe,
            method: Method::POST,
            url: self.graph(&["subscriptions"])?,
            body: Some(body.to_string().into_bytes()),
            if_match: None,
            writes_to: None,
        };
        let reply = self.transport.run(&call).await?;
        watching(&reply, ends).ok_or_else(|| {
            let detail = "subscriptions.create: done, but the answer is not a subscription";
            ProviderError::new(ErrorClass::Ambiguous, detail)
        })
    }

    /// Closes this app's other subscriptions for the same calendar that deliver to the same place here; how many. A host may
    /// have moved, but the path names the calendar by an id of ours, which no other installation has.
    async fn close_those_before(&self, request: &WatchRequest) -> Result<usize, ProviderError> {
        let path = |url: &str| Url::parse(url).ok().map(|url| url.path().trim_end_matches('/').to_owned());
        let ours = path(&request.url);
        let same = |s: &SubscriptionResource| {
            let resource_is = s.resource.as_deref().is_some_and(|r| names(r, &request.calendar));
            resource_is && s.notification_url.as_deref().and_then(path) == ours
        };
        let mut closed = 0;
        for subscription in self.all_subscriptions().await?.iter().filter(|s| same(s)).take(REPLACED_MAX) {
            self.close_channel(&subscription.id).await?;
            closed += 1;
        }
        Ok(closed)
    }

    async fn all_subscriptions(&self) -> Result<Vec<SubscriptionResource>, ProviderError> {
        let mut all = Vec::new();
        let mut url = self.graph(&["subscriptions"])?;
        for _ in 0..PAGES_MAX {
            let reply = self.transport.run(&Call::get(Operation::ListSubscriptions, url)).await?;
            let page = list::parse(&reply, Operation::ListSubscriptions)?;
            let readable = page.value.iter().flatten().filter_map(|raw| serde_json::from_str(raw.get()).ok());
            all.extend(readable);
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => url = self.own_link(&link)?,
                None => return Ok(all),
            }
        }
        Ok(all)
    }

    /// Prolongs in place. The same call confirms that we may still read what is watched, so that it is also the answer to
    /// `reauthorizationRequired`; the two must not both be sent within ten minutes (§8.3).
    pub(super) async fn prolong_channel(&self, request: &RenewRequest) -> Result<Watching, ProviderError> {
        let ends = ends_at(request.now, request.life);
        let call = Call {
            operation: Operation::Renew,
            method: Method::PATCH,
            url: self.graph(&["subscriptions", &request.channel])?,
            body: Some(json!({"expirationDateTime": ends.to_string()}).to_string().into_bytes()),
            if_match: None,
            writes_to: None,
        };
        let reply = self.transport.run(&call).await?;
        let renewed = watching(&reply, ends).filter(|w| w.channel == request.channel);
        Ok(renewed.unwrap_or(Watching {
            channel: request.channel.clone(),
            resource: request.resource.clone(),
            expires_at: ends,
        }))
    }

    pub(super) async fn close_channel(&self, channel: &str) -> Result<(), ProviderError> {
        let call = Call {
            operation: Operation::Unsubscribe,
            method: Method::DELETE,
            url: self.graph(&["subscriptions", channel])?,
            body: None,
            if_match: None,
            writes_to: None,
        };
        self.transport.run(&call).await.map(drop)
    }
}

fn resource(calendar: &str) -> String {
    format!("me/calendars/{calendar}/events")
}

/// Whether a subscription's resource is this calendar. It has several spellings (§8.2): `me/…`, `/users/{id}/…`, and ids in
/// brackets and quotes. Ids are compared to the letter.
fn names(resource: &str, calendar: &str) -> bool {
    let bare = resource.replace("('", "/").replace("')", "");
    let decoded = |part: &str| part == calendar || part == crate::address::encode(calendar);
    let parts: Vec<&str> = bare.split('/').filter(|part| !part.is_empty()).collect();
    parts.windows(2).any(|pair| pair[0].eq_ignore_ascii_case("calendars") && decoded(pair[1]))
}

fn ends_at(now: Ts, life: SignedDuration) -> Ts {
    now.plus(life.clamp(LIFE_MIN, LIFE_MAX))
}

/// A subscription as the port wants it; `asked` is its end where the answer tells none. Graph has no id for what is watched
/// and spells it in many ways, so the subscription's own id stands for it: in claims as well.
fn watching(reply: &Reply, asked: Ts) -> Option<Watching> {
    let subscription: SubscriptionResource = serde_json::from_slice(&reply.body).ok()?;
    let ends = subscription.expiration_date_time.and_then(|at| at.parse().ok());
    let id = Some(subscription.id).filter(|id| !id.is_empty())?;
    Some(Watching { channel: id.clone(), resource: id, expires_at: ends.unwrap_or(asked) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_known_in_any_spelling() {
        let table = [
            ("me/calendars/CID=/events", true),
            ("/me/calendars/CID%3D/events", true),
            ("Users/u1/Calendars/CID=/Events", true),
            ("users('u1')/calendars('CID=')/events", true),
            ("me/calendars/cid=/events", false),
            ("me/calendars/CID=2/events", false),
            ("me/events", false),
            ("", false),
        ];
        for (resource, expected) in table {
            assert_eq!(names(resource, "CID="), expected, "{resource}");
        }
    }

    #[test]
    fn lives_stay_within_what_graph_takes() {
        let now = Ts::from_secs(0);
        let life = |hours| ends_at(now, SignedDuration::from_hours(hours)).since(now);
        assert_eq!(life(48), LIFE);
        assert_eq!(life(24 * 30), LIFE_MAX);
        assert_eq!(life(0), LIFE_MIN);
    }
}
