//! Bodies of notices (microsoft.md §8.2, §8.3): one item each, as many items to a body as come together. Items of basic
//! notices carry no id of their own, those of lifecycle notices no resource.

use serde_json::{Value, json};

use super::MicrosoftFace;
use super::ids::{IdForm, etag, event_id};
use crate::cloud::watch::{Cause, Change, Lifecycle, Notice, Resource};

/// A body of these items.
pub(super) fn body(items: &[Value]) -> String {
    json!({"value": items}).to_string()
}

impl MicrosoftFace {
    /// Where a notice goes, and its items: a change may come with noise of its own (§8.2 "duplicates and noise").
    pub(super) fn items(&self, notice: &Notice) -> Option<(String, Vec<Value>)> {
        let channel = &notice.channel;
        let terms = channel.terms.as_ref()?;
        match &notice.cause {
            Cause::Opened => None,
            Cause::Lifecycle(what) => {
                let item = json!({
                    "subscriptionId": channel.id,
                    "subscriptionExpirationDateTime": channel.expires.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    "tenantId": self.account(&channel.person).tenant(),
                    "clientState": channel.token,
                    "lifecycleEvent": lifecycle(*what),
                });
                Some((terms.lifecycle_address.clone()?, vec![item]))
            }
            Cause::Changed(_) => {
                let (change, _) = notice.touched.as_ref()?;
                let mut items = vec![self.change(notice, *change)?];
                // What was just made is changed at once by the server.
                if *change == Change::Created && terms.changes.contains(&Change::Updated) {
                    items.extend(self.change(notice, Change::Updated));
                }
                Some((channel.address.clone(), items))
            }
        }
    }

    fn change(&self, notice: &Notice, change: Change) -> Option<Value> {
        let channel = &notice.channel;
        let (_, event) = notice.touched.as_ref()?;
        let Resource::Events(calendar) = &channel.resource else { return None };
        let who = self.who(&channel.person);
        let immutable = channel.terms.as_ref().is_some_and(|t| t.immutable_ids);
        let form = if immutable { IdForm::Immutable } else { IdForm::Default };
        let id = event_id(form, &who.mailbox, calendar, &event.id);
        let resource = format!("Users/{}/Events/{id}", who.user_id);
        Some(json!({
            "subscriptionId": channel.id,
            "subscriptionExpirationDateTime": channel.expires.to_jiff().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "changeType": word(change),
            "resource": resource,
            "clientState": channel.token,
            "tenantId": self.account(&channel.person).tenant(),
            "resourceData": {
                "@odata.type": "#Microsoft.Graph.Event",
                "@odata.id": resource,
                "@odata.etag": etag(event.version),
                "id": id,
            },
        }))
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Updated => "updated",
        Change::Deleted => "deleted",
    }
}

fn lifecycle(what: Lifecycle) -> &'static str {
    match what {
        Lifecycle::ReauthorizationRequired => "reauthorizationRequired",
        Lifecycle::SubscriptionRemoved => "subscriptionRemoved",
        Lifecycle::Missed => "missed",
    }
}
