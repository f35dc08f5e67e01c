//! Opening and closing push channels (google.md §8). A channel is never prolonged: a new one is opened under a new id.

use calsync_core::ports::{ErrorClass, ProviderError, WatchRequest, Watching};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;

use super::GoogleAccount;
use super::error::Operation;
use super::resource::ChannelResource;
use crate::transport::Call;

/// The longest life worth asking for: Google's own default (`params.ttl`).
pub(super) const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Longest channel id.
const CHANNEL_MAX: usize = 64;
/// Longest channel token.
const TOKEN_MAX: usize = 256;

impl GoogleAccount {
    pub(super) async fn open_channel(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        check(request)?;
        let life = request.life.clamp(SignedDuration::from_secs(1), LIFE);
        let body = json!({
            "id": request.channel,
            "type": "web_hook",
            "address": request.url,
            "token": request.token.expose(),
            "params": {"ttl": life.as_secs().to_string()},
        });
        let call = Call {
            operation: Operation::Watch,
            method: Method::POST,
            url: self.api(&["calendars", &request.calendar, "events", "watch"])?,
            body: Some(body.to_string().into_bytes()),
            if_match: None,
            writes_to: None,
        };
        let reply = self.transport.run(&call).await?;
        let channel: ChannelResource = serde_json::from_slice(&reply.body).map_err(|_| {
            ProviderError::new(ErrorClass::Ambiguous, "events.watch: done, but the answer is not a channel")
        })?;
        Ok(Watching {
            channel: channel.id.filter(|id| !id.is_empty()).unwrap_or_else(|| request.channel.clone()),
            resource: channel.resource_id,
            // What Google answers counts, not what was asked for; an answer without an end gets the asked one.
            expires_at: channel
                .expiration
                .as_ref()
                .and_then(expiration)
                .unwrap_or_else(|| request.now.plus(life)),
        })
    }

    pub(super) async fn close_channel(&self, channel: &str, resource: &str) -> Result<(), ProviderError> {
        let call = Call {
            operation: Operation::Stop,
            method: Method::POST,
            url: self.api(&["channels", "stop"])?,
            body: Some(json!({"id": channel, "resourceId": resource}).to_string().into_bytes()),
            if_match: None,
            writes_to: None,
        };
        self.transport.run(&call).await.map(drop)
    }
}

/// Milliseconds since the epoch, as a number or as decimal text.
fn expiration(value: &serde_json::Value) -> Option<Ts> {
    let millis = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Some(Ts::from_micros(millis.checked_mul(1_000)?))
}

fn check(request: &WatchRequest) -> Result<(), ProviderError> {
    let invalid = |why| Err(ProviderError::new(ErrorClass::Invalid, why));
    let id = &request.channel;
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/' | b'=');
    if id.is_empty() || id.len() > CHANNEL_MAX || !id.bytes().all(letters) {
        return invalid(
            "events.watch: the channel id has more than 64 characters, or others than A-Za-z0-9-_+/=",
        );
    }
    let token = request.token.expose().len();
    if token == 0 || token > TOKEN_MAX {
        return invalid("events.watch: the channel token must have 1 to 256 characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_come_as_numbers_and_as_text() {
        let expected = Some(Ts::from_secs(1_794_902_400));
        assert_eq!(expiration(&json!("1794902400000")), expected);
        assert_eq!(expiration(&json!(1_794_902_400_000_i64)), expected);
        for junk in [json!(null), json!("soon"), json!({}), json!(1.5), json!("99999999999999999999")] {
            assert_eq!(expiration(&junk), None);
        }
    }
}
