//! A notification of our own, delivered through the public address in the form of the provider whose calendar it is about.

use calsync_core::calendar::ProviderKind;
use calsync_engine::Trial;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::{Looker, Unreached, read, refused, silent};

impl Looker {
    /// Delivers it under this base address, which has no slash at its end. `Ok`: it is on disk there.
    pub async fn deliver(&self, base: &str, trial: &Trial) -> Result<(), Unreached> {
        let url = format!("{base}/webhooks/{}/{}/", trial.provider.as_str(), trial.calendar);
        let url = url::Url::parse(&url).map_err(|e| silent(&e))?;
        let asked = match trial.provider {
            // microsoft.md §8.2
            ProviderKind::Microsoft => self.0.post(url).json(&json!({"value": [{
                "subscriptionId": trial.channel,
                "clientState": trial.token.expose(),
                "changeType": "updated",
                "id": trial.subscription,
            }]})),
            // google.md §8
            ProviderKind::Google | ProviderKind::Apple => self
                .0
                .post(url)
                .header(CONTENT_TYPE, "text/plain")
                .header("X-Goog-Channel-ID", &trial.channel)
                .header("X-Goog-Channel-Token", trial.token.expose())
                .header("X-Goog-Resource-ID", &trial.resource)
                .header("X-Goog-Resource-State", "exists")
                .header("X-Goog-Message-Number", "2"),
        };
        let answer = read(asked.send().await).await?;
        match answer.status {
            200..=299 => Ok(()),
            // Ours says so when a header is missing: it was there when it left.
            400 => Err(Unreached::Altered),
            _ => Err(refused(&answer)),
        }
    }
}
