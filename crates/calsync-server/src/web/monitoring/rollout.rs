//! `/monitoring/rollout`: who uses push. A change is shown before it is made, and is made only as it was shown.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::response::IntoResponse;
use calsync_core::ports::Switch;
use calsync_core::rollout::{Change, Phase, Rollout as Flags, Typed};
use calsync_engine::{Preview as Told, Reach as Counted};
use calsync_pages::monitoring::{PhaseLine, Preview, Reach, Rollout};
use calsync_pages::words::thousands;
use calsync_pages::{Notice, Place};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::answer::{self, Answer};
use super::super::session::{Signed, Staff};
use super::super::times;
use super::words;
use crate::http::ApiError;
use crate::service::Service;

/// Changes that are shown.
const HISTORY: u32 = 50;
const PATH: &str = "/monitoring/rollout";

/// A change as a form sends it.
#[derive(Clone, Deserialize, Default)]
pub(super) struct Asked {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    webhooks: String,
    #[serde(default)]
    percentage: String,
    #[serde(default)]
    user_percentage: String,
    #[serde(default)]
    add: String,
    #[serde(default)]
    remove: String,
    /// Which flags it was shown beside.
    #[serde(default)]
    seen: String,
}

impl Asked {
    /// What is asked for, or all that is wrong with it.
    fn change(&self) -> Result<Change, Vec<String>> {
        if !self.phase.is_empty() {
            return Phase::parse(&self.phase).map(Change::to).map_err(|why| vec![why]);
        }
        let webhooks = match self.webhooks.as_str() {
            "on" => Some(Switch::On),
            "off" => Some(Switch::Off),
            _ => None,
        };
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (percentage, user_percentage) = (given(&self.percentage), given(&self.user_percentage));
        let addresses = |text: &str| -> Vec<String> {
            text.split([',', ';', ' ', '\n'])
                .map(str::trim)
                .filter(|a| !a.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let (add, remove) = (addresses(&self.add), addresses(&self.remove));
        if webhooks.is_none()
            && percentage.is_none()
            && user_percentage.is_none()
            && add.is_empty()
            && remove.is_empty()
        {
            return Err(vec!["Nothing was asked for: fill in what is to be changed.".to_owned()]);
        }
        let typed = Typed {
            webhooks,
            percentage: percentage.as_deref(),
            user_percentage: user_percentage.as_deref(),
            add: &add,
            remove: &remove,
        };
        Change::of(&typed)
    }

    /// What is sent again when it is applied.
    fn fields(self, seen: String) -> Vec<(&'static str, String)> {
        let Asked { phase, webhooks, percentage, user_percentage, add, remove, .. } = self;
        let all = [
            ("phase", phase),
            ("webhooks", webhooks),
            ("percentage", percentage),
            ("user_percentage", user_percentage),
            ("add", add),
            ("remove", remove),
            ("seen", seen),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// A name of these very flags.
fn name(flags: &Flags) -> String {
    let text = serde_json::to_string(flags).unwrap_or_default();
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..12])
}

/// `GET /monitoring/rollout`.
pub(super) async fn show(State(service): State<Arc<Service>>, Staff(signed): Staff) -> Answer {
    page(&service, &signed, Vec::new()).await
}

async fn page(service: &Service, signed: &Signed, problems: Vec<String>) -> Answer {
    let report = service.engine.rollout_report(HISTORY).await.map_err(answer::engine)?;
    let times = times::of(service, signed).await;
    let here = report.flags.phase();
    let phases = Phase::ALL.map(|phase| PhaseLine {
        number: phase.number(),
        words: phase.words(),
        here: here == Some(phase),
    });
    answer::page(&Rollout {
        frame: signed.frame(Place::Monitoring),
        webhooks: report.flags.webhooks_enabled,
        percentage: report.flags.rollout_percentage.get(),
        user_percentage: report.flags.user_rollout_percentage.get(),
        early_adopters: report.flags.early_adopters.iter().cloned().collect(),
        phase: here.map_or_else(
            || "none of the five".to_owned(),
            |phase| format!("{}: {}", phase.number(), phase.words()),
        ),
        changed: report.changed.map(|(at, who)| (times.when(at), who)),
        applied: report.applied,
        phases: phases.into(),
        history: report.history.into_iter().map(|line| (times.when(line.at), line.who, line.what)).collect(),
        problems,
    })
}

/// `GET /monitoring/rollout/reach`: it goes through all calendars, so it is asked for by itself.
pub(super) async fn reach(State(service): State<Arc<Service>>, _: Staff) -> Answer {
    let preview = service.engine.preview_rollout(Clone::clone, |_| ()).await.map_err(answer::engine)?;
    answer::page(&counted(preview.reach))
}

fn counted(reach: Counted) -> Reach {
    let share = |part: u64, all: u64| {
        let share = words::percent(part, all).map_or_else(String::new, |share| format!(" ({share} %)"));
        format!("{} of {}{share}", thousands(part), thousands(all))
    };
    Reach {
        calendars: share(reach.calendars_admitted, reach.calendars),
        users: share(reach.users_admitted, reach.users),
    }
}

/// `POST /monitoring/rollout/preview`: nothing is changed.
pub(super) async fn preview(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Form(asked): Form<Asked>,
) -> Answer {
    match asked.change() {
        Ok(change) => preview_of(&service, &signed, asked, &change, None).await,
        Err(problems) => page(&service, &signed, problems).await,
    }
}

async fn preview_of(
    service: &Service,
    signed: &Signed,
    asked: Asked,
    change: &Change,
    notice: Option<Notice>,
) -> Answer {
    let told =
        service.engine.preview_rollout(|flags| change.apply(flags), |_| ()).await.map_err(answer::engine)?;
    if let Some(objection) = change.objection(&told.before) {
        return page(service, signed, vec![objection]).await;
    }
    let Told { before, after, let_in, let_out, reach } = told;
    answer::page(&Preview {
        frame: signed.frame(Place::Monitoring).saying(notice),
        what: words::name(&change.words()),
        let_in: thousands(let_in),
        let_out: thousands(let_out),
        some_out: let_out > 0,
        nothing: before == after,
        reach: counted(reach),
        fields: asked.fields(name(&before)),
    })
}

/// `POST /monitoring/rollout/apply`.
pub(super) async fn apply(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Form(asked): Form<Asked>,
) -> Answer {
    let change = match asked.change() {
        Ok(change) => change,
        Err(problems) => return page(&service, &signed, problems).await,
    };
    let report = service.engine.rollout_report(0).await.map_err(answer::engine)?;
    if asked.seen != name(&report.flags) {
        let notice = Notice::bad("Somebody has changed the flags meanwhile: see what it would do now.");
        return preview_of(&service, &signed, asked, &change, Some(notice)).await;
    }
    if let Some(objection) = change.objection(&report.flags) {
        return Err(ApiError::bad_request(objection));
    }
    let who = &signed.user.email;
    service
        .engine
        .change_rollout(who, &change.words(), |flags| change.apply(flags))
        .await
        .map_err(answer::engine)?;
    service.tend();
    let notice =
        Notice::good(format!("Changed: {}. All calendars are gone through within seconds.", change.words()));
    Ok(answer::on_to_saying(PATH, &notice).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_the_command_line_is() {
        let asked = Asked {
            percentage: " 20 % ".to_owned(),
            add: "ada@example.com, grace@example.com".to_owned(),
            ..Asked::default()
        };
        let change = asked.change().unwrap();
        assert_eq!((change.percentage.map(|p| p.get()), change.add.len()), (Some(20), 2));
        assert_eq!(
            Asked { phase: "3".to_owned(), ..Asked::default() }.change(),
            Ok(Change::to(Phase::Tenth))
        );
        assert_eq!(Asked::default().change().unwrap_err().len(), 1);
        let wrong = Asked { percentage: "101".to_owned(), add: "ada".to_owned(), ..Asked::default() };
        assert_eq!(wrong.change().unwrap_err().len(), 2);
        assert!(Asked { phase: "9".to_owned(), ..Asked::default() }.change().is_err());
    }

    #[test]
    fn other_flags_have_another_name() {
        let flags = Flags::default();
        let other = Flags { webhooks_enabled: false, ..flags.clone() };
        assert_eq!(name(&flags), name(&flags.clone()));
        assert_ne!(name(&flags), name(&other));
    }
}
