//! Access tokens of an account: bought, shared, renewed, rotated.

use std::sync::atomic::Ordering;

use calsync_core::ids::EventId;
use calsync_core::ports::{ErrorClass, ProviderAccount, ProviderError, Standing};
use serde_json::json;

use crate::rig::{CANARY, Rig, answer, refusal};

async fn look(rig: &Rig) -> Result<Standing, ProviderError> {
    rig.account.get_block("primary", &EventId("cs1abc".into())).await
}

fn nothing() -> crate::rig::Answer {
    refusal(404, "notFound")
}

#[tokio::test]
async fn one_token_serves_until_shortly_before_its_end() {
    let rig = Rig::new().await;
    rig.answers(vec![nothing(); 4]);
    look(&rig).await.unwrap();
    rig.clock.advance(3_000);
    look(&rig).await.unwrap();
    assert_eq!(rig.token_calls().len(), 1);
    rig.clock.advance(3_599 - 3_000 - 60);
    look(&rig).await.unwrap();
    let bought = rig.token_calls();
    assert_eq!(bought.len(), 2);
    assert_eq!(bought[1].form("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(bought[1].form("refresh_token"), Some(format!("refresh-0-{CANARY}")));
    assert_eq!(rig.calls()[2].header("authorization"), Some(format!("Bearer access-2-{CANARY}").as_str()));
}

#[tokio::test]
async fn concurrent_callers_share_one_purchase_and_its_failure() {
    let rig = Rig::new().await;
    let token = json!({"access_token": "t", "expires_in": 3599});
    rig.tokens([answer(200, token).after(100)]);
    rig.answers(vec![nothing(); 4]);
    let (a, b, c, d) = tokio::join!(look(&rig), look(&rig), look(&rig), look(&rig));
    assert!([a, b, c, d].iter().all(Result::is_ok));
    assert_eq!(rig.token_calls().len(), 1);

    let rig = Rig::new().await;
    let dead = answer(400, json!({"error": "invalid_grant", "error_description": CANARY}));
    rig.tokens([dead.after(100)]);
    let (a, b, c) = tokio::join!(look(&rig), look(&rig), look(&rig));
    for result in [a, b, c] {
        let error = result.unwrap_err();
        assert_eq!(error.class, ErrorClass::Unauthorized);
        assert!(error.detail.contains("In production"), "{error}");
    }
    assert_eq!((rig.token_calls().len(), rig.calls().len()), (1, 0));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let rig = Rig::new().await;
    rig.answers([refusal(401, "authError"), nothing()]);
    assert_eq!(look(&rig).await, Ok(Standing::Nothing));
    assert_eq!(rig.token_calls().len(), 2);

    let rig = Rig::new().await;
    rig.answers([refusal(401, "authError"), refusal(401, "authError")]);
    assert_eq!(look(&rig).await.unwrap_err().class, ErrorClass::Transient, "it may pass");
    assert_eq!((rig.token_calls().len(), rig.calls().len()), (2, 2));
}

#[tokio::test]
async fn fresh_tokens_refused_call_after_call_end_the_connection() {
    let rig = Rig::new().await;
    let call_fails = || [refusal(401, "authError"), refusal(401, "authError")];
    rig.answers([call_fails(), call_fails()].concat());
    for _ in 0..2 {
        assert_eq!(look(&rig).await.unwrap_err().class, ErrorClass::Transient);
    }
    // One call that works, and the count begins anew.
    rig.answers([nothing()]);
    assert_eq!(look(&rig).await, Ok(Standing::Nothing));
    rig.answers([call_fails(), call_fails(), call_fails(), call_fails()].concat());
    for expected in
        [ErrorClass::Transient, ErrorClass::Transient, ErrorClass::Transient, ErrorClass::Unauthorized]
    {
        assert_eq!(look(&rig).await.unwrap_err().class, expected);
    }
}

/// Seen in a demo with faults: four calls under way at once, one fresh token that was refused, and a person who was asked to
/// come back for nothing.
#[tokio::test]
async fn a_fresh_token_that_is_refused_counts_once_however_many_calls_use_it() {
    let rig = Rig::new().await;
    rig.answers(vec![refusal(401, "authError"); 8]);
    let (a, b, c, d) = tokio::join!(look(&rig), look(&rig), look(&rig), look(&rig));
    let classes: Vec<_> = [a, b, c, d].into_iter().map(|result| result.unwrap_err().class).collect();
    assert_eq!(classes, [ErrorClass::Transient; 4]);
    assert_eq!(rig.token_calls().len(), 2);
}

#[tokio::test]
async fn a_passing_fault_at_the_token_endpoint_is_sat_out() {
    let rig = Rig::new().await;
    rig.tokens([answer(503, ""), answer(500, json!({"error": "internal_failure"}))]);
    rig.answers([nothing()]);
    assert_eq!(look(&rig).await, Ok(Standing::Nothing));
    assert_eq!(rig.token_calls().len(), 3);
}

#[tokio::test]
async fn an_operators_mistake_is_not_the_persons() {
    let rig = Rig::new().await;
    rig.tokens([answer(401, json!({"error": "invalid_client"}))]);
    assert_eq!(look(&rig).await.unwrap_err().class, ErrorClass::Misconfigured);
}

#[tokio::test]
async fn rotated_credentials_are_kept_even_if_not_at_once() {
    let rig = Rig::new().await;
    let rotated =
        json!({"access_token": "t", "expires_in": 3599, "refresh_token": format!("refresh-1-{CANARY}")});
    rig.tokens([answer(200, rotated)]);
    rig.answers(vec![nothing(); 3]);
    rig.keeper.failures.store(1, Ordering::Relaxed);
    look(&rig).await.unwrap();
    assert!(rig.keeper.kept.lock().unwrap().is_empty(), "the first time fails");
    look(&rig).await.unwrap();
    {
        let kept = rig.keeper.kept.lock().unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].refresh_token.expose(), format!("refresh-1-{CANARY}"));
        assert_eq!(kept[0].scope, "openid");
    }
    rig.clock.advance(4_000);
    look(&rig).await.unwrap();
    assert_eq!(rig.token_calls()[1].form("refresh_token"), Some(format!("refresh-1-{CANARY}")));
    assert_eq!(rig.keeper.kept.lock().unwrap().len(), 1, "unchanged ones are not kept again");
}
