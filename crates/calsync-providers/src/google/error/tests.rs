//! Every row of google.md §9, and the watch errors of §8.

use super::*;

const NOW: Ts = Ts::from_secs(1_794_902_400);

fn envelope_a(domain: &str, reason: &str) -> String {
    let error =
        serde_json::json!({"domain": domain, "reason": reason, "message": "canary-message ann@example.com"});
    serde_json::json!({"error": {"errors": [error], "code": 400, "message": "canary-message"}}).to_string()
}

fn envelope_b(reason: &str, status: &str) -> String {
    let info = serde_json::json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason});
    serde_json::json!({"error": {"code": 403, "message": "canary-message", "status": status, "details": [info]}})
        .to_string()
}

fn class(operation: Operation, status: u16, body: &str) -> ErrorClass {
    let refused = classify(operation, status, body.as_bytes(), None, NOW);
    assert!(!refused.error.to_string().contains("canary"), "{}", refused.error);
    assert_eq!(refused.throttled.is_some(), refused.error.class == ErrorClass::RateLimited);
    refused.error.class
}

#[test]
fn every_row_of_the_table() {
    use ErrorClass as C;
    use Operation as O;
    let a = envelope_a;
    let b = envelope_b;
    let rows = [
        (O::InsertEvent, 400, a("calendar", "timeRangeEmpty"), C::Invalid),
        (O::InsertEvent, 400, a("global", "invalid"), C::Invalid),
        (O::InsertEvent, 400, a("global", "required"), C::Invalid),
        (O::UpdateEvent, 400, a("global", "badRequest"), C::Invalid),
        (O::UpdateEvent, 400, a("global", "parseError"), C::Invalid),
        (O::ListEvents, 400, a("global", "invalid"), C::Invalid),
        (O::ListEvents, 401, a("global", "authError"), C::Unauthorized),
        (O::ListEvents, 401, b("", "UNAUTHENTICATED"), C::Unauthorized),
        (O::InsertEvent, 403, a("usageLimits", "userRateLimitExceeded"), C::RateLimited),
        (O::InsertEvent, 403, a("usageLimits", "rateLimitExceeded"), C::RateLimited),
        (O::ListEvents, 403, a("usageLimits", "RATELIMITEXCEEDED"), C::RateLimited),
        (O::ListEvents, 403, b("RATE_LIMIT_EXCEEDED", "PERMISSION_DENIED"), C::RateLimited),
        (O::ListEvents, 429, a("usageLimits", "rateLimitExceeded"), C::RateLimited),
        (O::ListEvents, 429, b("RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"), C::RateLimited),
        (O::ListEvents, 429, String::new(), C::RateLimited),
        (O::InsertEvent, 403, a("usageLimits", "quotaExceeded"), C::RateLimited),
        (O::InsertEvent, 403, a("usageLimits", "dailyLimitExceeded"), C::RateLimited),
        (O::ListEvents, 403, a("global", "insufficientPermissions"), C::Unauthorized),
        (O::ListEvents, 403, b("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "PERMISSION_DENIED"), C::Unauthorized),
        (O::ListEvents, 403, b("SERVICE_DISABLED", "PERMISSION_DENIED"), C::Misconfigured),
        (O::UpdateEvent, 403, a("calendar", "forbiddenForNonOrganizer"), C::Permanent),
        (O::InsertEvent, 403, a("global", "forbidden"), C::Permanent),
        (O::InsertEvent, 403, a("calendar", "requiredAccessLevel"), C::Permanent),
        (O::InsertEvent, 403, String::new(), C::Transient),
        (O::InsertEvent, 403, "<html>no</html>".into(), C::Transient),
        (O::ListEvents, 404, a("global", "notFound"), C::Gone),
        (O::UpdateEvent, 404, a("global", "notFound"), C::Gone),
        (O::InsertEvent, 409, a("global", "duplicate"), C::Exists),
        (O::InsertEvent, 409, String::new(), C::Exists),
        (O::InsertEvent, 409, a("global", "conflict"), C::Transient),
        (O::UpdateEvent, 409, a("global", "conflict"), C::Conflict),
        (O::ListEvents, 410, a("calendar", "fullSyncRequired"), C::CursorExpired),
        (O::ListEvents, 410, a("calendar", "updatedMinTooLongAgo"), C::CursorExpired),
        (O::ListEvents, 410, String::new(), C::CursorExpired),
        (O::UpdateEvent, 410, a("global", "deleted"), C::Gone),
        (O::UpdateEvent, 412, a("global", "conditionNotMet"), C::Conflict),
        (O::DeleteEvent, 412, String::new(), C::Conflict),
        (O::ListEvents, 500, a("global", "backendError"), C::Transient),
        (O::GetEvent, 502, "<html>".into(), C::Transient),
        (O::ListCalendars, 503, String::new(), C::Transient),
        (O::Stop, 504, String::new(), C::Transient),
        (O::InsertEvent, 500, a("global", "backendError"), C::Ambiguous),
        (O::UpdateEvent, 502, String::new(), C::Ambiguous),
        (O::DeleteEvent, 503, "\u{feff}".into(), C::Ambiguous),
        (O::Watch, 504, String::new(), C::Ambiguous),
        (O::ListEvents, 408, String::new(), C::Transient),
        (O::InsertEvent, 408, String::new(), C::Ambiguous),
        (O::ListEvents, 301, String::new(), C::Misconfigured),
        (O::InsertEvent, 413, String::new(), C::Invalid),
        // §8: channels.
        (O::Watch, 400, a("calendar", "pushNotSupportedForRequestedResource"), C::Unsupported),
        (O::Watch, 400, a("global", "push.webhookUrlNotHttps"), C::Misconfigured),
        (O::Watch, 401, a("global", "push.webhookUrlUnauthorized"), C::Misconfigured),
        (O::Watch, 400, a("global", "push.webhookUrlUnauthorized"), C::Misconfigured),
        (O::Watch, 400, a("global", "push.channelIdInvalid"), C::Invalid),
        (O::Watch, 400, a("global", "channelIdNotUnique"), C::Exists),
        (O::Watch, 400, a("global", "push.channelIdNotUnique"), C::Exists),
        (O::Watch, 400, a("global", "invalid"), C::Invalid),
        (O::Watch, 401, a("global", "authError"), C::Unauthorized),
        (O::Watch, 404, a("global", "notFound"), C::Gone),
    ];
    for (operation, status, body, expected) in rows {
        assert_eq!(class(operation, status, &body), expected, "{operation:?} {status} {body}");
    }
}

#[test]
fn a_listing_token_that_is_not_taken_leads_to_a_full_listing() {
    for location in ["syncToken", "pageToken"] {
        let error = serde_json::json!({"domain": "global", "reason": "invalid", "location": location});
        let body = serde_json::json!({"error": {"errors": [error]}}).to_string();
        assert_eq!(class(Operation::ListEvents, 400, &body), ErrorClass::CursorExpired);
        assert_eq!(class(Operation::ListCalendars, 400, &body), ErrorClass::Invalid);
    }
}

#[test]
fn refusals_slow_down_what_they_are_about() {
    let throttled = |reason: &str| {
        classify(Operation::InsertEvent, 403, envelope_a("usageLimits", reason).as_bytes(), None, NOW)
    };
    assert_eq!(throttled("userRateLimitExceeded").throttled, Some(Throttled::User));
    assert_eq!(throttled("rateLimitExceeded").throttled, Some(Throttled::Project));
    assert_eq!(throttled("rateLimitExceeded").error.retry_after, None);
    let quota = throttled("quotaExceeded");
    assert_eq!((quota.throttled, quota.error.retry_after), (Some(Throttled::Writes), Some(LONG_PAUSE)));
    assert_eq!(throttled("forbidden").throttled, None);
}

#[test]
fn retry_after_is_honoured_where_a_retry_can_help() {
    let wait = |status, header: &str| {
        classify(Operation::ListEvents, status, b"", Some(header), NOW).error.retry_after
    };
    assert_eq!(wait(429, "7"), Some(SignedDuration::from_secs(7)));
    assert_eq!(wait(503, "0.5"), Some(SignedDuration::from_millis(500)));
    assert_eq!(wait(429, "999999"), Some(retry::RETRY_AFTER_MAX));
    assert_eq!(wait(404, "7"), None);
    assert_eq!(wait(503, "soon"), None);
}

#[test]
fn no_body_breaks_it() {
    let bodies: [&[u8]; 8] = [
        b"",
        b"null",
        b"[]",
        b"{\"error\":\"invalid\"}",
        b"{\"error\":{\"errors\":{}}}",
        b"{\"error\":{\"errors\":[1,null,{\"reason\":5}],\"details\":[[]]}}",
        b"\xff\xfe",
        b"{\"error\":{\"errors\":[{\"reason\":\"\\u0000 <script>\"}]}}",
    ];
    for operation in Operation::ALL {
        for status in 0..=600 {
            for body in bodies {
                let refused = classify(operation, status, body, None, NOW);
                assert!(refused.error.detail.len() < 400 && !refused.error.detail.contains('<'));
            }
        }
    }
}

#[test]
fn what_is_gone_answers_some_calls() {
    let body = br#"{"error":{"code":404,"errors":[{"reason":"notFound"}]}}"#;
    let answers = |operation: Operation, status| operation.is_answered_by(status, body);
    assert!(answers(Operation::DeleteEvent, 404) && answers(Operation::DeleteEvent, 410));
    assert!(answers(Operation::GetEvent, 404) && answers(Operation::Stop, 404));
    assert!(!answers(Operation::ListEvents, 404) && !answers(Operation::UpdateEvent, 404));
    // Something in between, which knows of no event.
    for body in ["", "<h1>Not Found</h1>", "{}", "null"] {
        assert!(!Operation::DeleteEvent.is_answered_by(404, body.as_bytes()), "{body}");
        assert!(!Operation::GetEvent.is_answered_by(410, body.as_bytes()), "{body}");
    }
}
