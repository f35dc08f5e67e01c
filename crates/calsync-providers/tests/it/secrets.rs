//! No secret is ever printed.

use calsync_core::ids::EventId;
use calsync_core::ports::ProviderAccount;
use calsync_core::secret::Secret;
use calsync_providers::google::{Consent, GoogleConfig};
use serde_json::json;

use crate::rig::{CANARY, Rig, answer, credentials, refusal};

#[tokio::test]
async fn neither_in_debug_nor_in_errors() {
    let rig = Rig::new().await;
    let mut printed = vec![
        format!("{:?} {:?}", rig.google, rig.account),
        format!("{:?}", credentials()),
        format!("{:?}", GoogleConfig::new("id", Secret::new(CANARY))),
    ];
    let begun = rig.google.authorize("https://cal.example.com/cb", Consent::ReadAndWrite, None);
    // The state is in the URL because it must be; it is nothing without the session it is bound to.
    printed.push(format!("{:?} {:?}", begun.state, begun.verifier));
    let id = EventId("cs1abc".into());
    for given in [
        refusal(400, CANARY.to_uppercase().as_str()),
        answer(500, CANARY),
        answer(403, json!({"error": {"message": CANARY, "status": "PERMISSION_DENIED"}})),
        answer(200, CANARY),
        answer(200, "").breaks(),
        answer(409, CANARY),
    ] {
        rig.answers(vec![given; 3]);
        let error = rig.account.delete_block("ann@example.com", &id, None).await.err();
        printed.push(format!("{error:?}"));
        let error = rig.account.get_block("ann@example.com", &id).await.err();
        printed.push(format!("{error:?} {}", error.as_ref().map(ToString::to_string).unwrap_or_default()));
    }
    for text in printed {
        assert!(!text.contains(CANARY) && !text.contains("ann@example.com"), "{text}");
    }
}
