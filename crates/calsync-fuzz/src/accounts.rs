//! What the providers answer while somebody connects an account: tokens, who they are, and which calendars there are.

use calsync_core::calendar::ListedCalendar;
use calsync_core::ports::{ProviderAccount, ProviderError};
use calsync_core::secret::Secret;
use calsync_providers::Provider;
use serde_json::Value;

use crate::CANARY;
use crate::answers::{Stage, on_stage, parts};
use crate::material::{cuts, has_canary, is_object, is_quiet, keeps_the_secret, plant};

/// What nobody may see of an answer of the token endpoint.
const TOKENS: [&str; 3] = ["access_token", "refresh_token", "id_token"];

/// Google's tokens, then its userinfo.
pub fn google_account(data: &[u8]) {
    on_stage(|stage| connect(stage, stage.google.as_ref(), data));
}

/// Microsoft's tokens, then `/me`, then what tells that there is a mailbox.
pub fn microsoft_account(data: &[u8]) {
    on_stage(|stage| connect(stage, stage.microsoft.as_ref(), data));
}

/// Pages of Google's list of calendars.
pub fn google_calendars(data: &[u8]) {
    on_stage(|stage| calendars(stage, &stage.at_google, data));
}

/// Pages of Microsoft's list of calendars.
pub fn microsoft_calendars(data: &[u8]) {
    on_stage(|stage| calendars(stage, &stage.at_microsoft, data));
}

fn connect(stage: &Stage, provider: &dyn Provider, data: &[u8]) {
    let answers: Vec<Vec<u8>> = parts(data).into_iter().map(<[u8]>::to_vec).collect();
    if has_canary(data) {
        return;
    }
    judge(stage, provider, answers.clone());
    for cut in cuts(&answers[0]).take(1) {
        let half = connected(stage, provider, vec![cut.to_vec()]);
        assert!(half.is_err(), "half an answer passes for a grant: {half:?}");
    }
    if let Ok(mut tokens) = serde_json::from_slice::<Value>(&answers[0])
        && plant(&mut tokens, &TOKENS)
    {
        let mut answers = answers;
        answers[0] = tokens.to_string().into_bytes();
        judge(stage, provider, answers);
    }
}

fn judge(stage: &Stage, provider: &dyn Provider, answers: Vec<Vec<u8>>) {
    match connected(stage, provider, answers) {
        Ok(connected) => {
            keeps_the_secret(&format!("{connected:?}"));
            assert!(!connected.person.sub.is_empty(), "somebody without an id");
            assert!(!connected.credentials.refresh_token.expose().is_empty(), "a grant that does not last");
        }
        Err(error) => is_quiet(&error.to_string()),
    }
}

fn connected(
    stage: &Stage,
    provider: &dyn Provider,
    answers: Vec<Vec<u8>>,
) -> Result<calsync_providers::google::Connected, ProviderError> {
    let secret = Secret::new(CANARY);
    let asked = provider.connect(&secret, &secret, "https://sync.example.com/oauth/callback");
    let (answer, targets) = stage.play(answers, asked);
    assert!(
        targets.iter().all(|target| !target.contains(CANARY)),
        "a secret stands in an address: {targets:?}"
    );
    answer
}

fn calendars(stage: &Stage, account: &dyn ProviderAccount, data: &[u8]) {
    let answers: Vec<Vec<u8>> = parts(data).into_iter().map(|part| stage.here(part)).collect();
    match stage.play(answers.clone(), account.list_calendars()).0 {
        Ok(listed) => {
            is_object(&answers[0]);
            listed.iter().for_each(is_calendar);
        }
        Err(error) => is_quiet(&error.to_string()),
    }
    for cut in cuts(&answers[0]).take(2) {
        let half = stage.play([cut.to_vec()], account.list_calendars()).0;
        assert!(half.is_err(), "half a list passes for a whole one: {half:?}");
    }
}

fn is_calendar(calendar: &ListedCalendar) {
    assert!(!calendar.remote_id.is_empty() && !calendar.time_zone.is_empty(), "{calendar:?}");
    let stored = serde_json::to_string(calendar).expect("a calendar is plain data");
    assert_eq!(serde_json::from_str(&stored).ok().as_ref(), Some(calendar), "what is stored reads the same");
}
