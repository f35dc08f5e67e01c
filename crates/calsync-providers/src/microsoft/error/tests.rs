//! Every row of microsoft.md §9, the subscription errors of §8 and the lost tokens of §7.

use super::*;
use serde_json::json;

const NOW: Ts = Ts::from_secs(1_794_902_400);

fn envelope(code: &str, message: &str) -> String {
    let inner = json!({"date": "2026-11-01T10:00:00", "request-id": "r", "client-request-id": "c"});
    json!({"error": {"code": code, "message": format!("canary ann@example.com {message}"), "innerError": inner}})
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
    let e = |code| envelope(code, "");
    let rows = [
        (O::CreateEvent, 400, e("ErrorInvalidRequest"), C::Invalid),
        (O::CreateEvent, 400, e("TimeZoneNotSupportedException"), C::Invalid),
        (O::UpdateEvent, 400, e("ErrorOccurrenceCrossingBoundary"), C::Invalid),
        (O::GetEvent, 400, e("RequestBroker--ParseUri"), C::Invalid),
        (O::CreateEvent, 400, e("ErrorDuplicateTransactionId"), C::Exists),
        (O::CreateEvent, 409, e("ErrorDuplicateTransactionId"), C::Exists),
        (O::DeltaLink, 401, e("InvalidAuthenticationToken"), C::Unauthorized),
        (O::DeltaStart, 401, e("UnknownError"), C::Unsupported),
        (O::Subscribe, 401, e("UnknownError"), C::Unsupported),
        (O::Me, 401, e("UnknownError"), C::Unauthorized),
        (O::UpdateEvent, 403, e("ErrorAccessDenied"), C::Permanent),
        (O::ListCalendars, 403, e("ErrorAccessDenied"), C::Unauthorized),
        (O::Me, 403, e("Authorization_RequestDenied"), C::Unauthorized),
        (O::DeltaStart, 403, e("insufficient_claims"), C::Unauthorized),
        (O::UpdateEvent, 404, e("ErrorItemNotFound"), C::Gone),
        (O::ListCalendars, 404, e("MailboxNotEnabledForRESTAPI"), C::Permanent),
        (O::DeltaStart, 404, e("ErrorInvalidUser"), C::Permanent),
        (O::CreateEvent, 409, e("ErrorIrresolvableConflict"), C::Conflict),
        (O::UpdateEvent, 412, e("ErrorIrresolvableConflict"), C::Conflict),
        (O::UpdateEvent, 412, String::new(), C::Conflict),
        (O::DeleteEvent, 412, e("x"), C::Conflict),
        (O::CreateEvent, 411, String::new(), C::Invalid),
        (O::CreateEvent, 413, String::new(), C::Invalid),
        (O::DeltaLink, 429, e("TooManyRequests"), C::RateLimited),
        (O::CreateEvent, 429, e("ApplicationThrottled"), C::RateLimited),
        (O::CreateEvent, 503, e("ApplicationThrottled"), C::RateLimited),
        (O::DeltaLink, 503, e("TooManyRequests"), C::RateLimited),
        (O::DeltaLink, 509, String::new(), C::RateLimited),
        (O::CreateEvent, 503, e("ConcurrentItemSave"), C::Ambiguous),
        (O::DeltaLink, 503, String::new(), C::Transient),
        (O::DeltaStart, 504, envelope("UnknownError", ""), C::Transient),
        (O::CreateEvent, 504, e("UnknownError"), C::Ambiguous),
        (O::DeltaStart, 500, e("ErrorInternalServerTransientError"), C::Transient),
        (O::UpdateEvent, 500, e("ErrorInternalServerError"), C::Ambiguous),
        (O::CreateEvent, 507, String::new(), C::Permanent),
        (O::CreateEvent, 500, e("ErrorQuotaExceeded"), C::Permanent),
        (O::GetEvent, 302, String::new(), C::Misconfigured),
        (O::GetEvent, 502, "<html>".into(), C::Transient),
        (
            O::DeltaStart,
            404,
            envelope(
                "ExtensionError",
                "[Status Code: NotFound; Reason: REST API is not yet supported for this mailbox.]",
            ),
            C::Permanent,
        ),
    ];
    for (operation, status, body, expected) in rows {
        assert_eq!(class(operation, status, &body), expected, "{operation:?} {status} {body}");
    }
}

#[test]
fn every_sign_of_a_lost_token() {
    use Operation as O;
    let expired = ErrorClass::CursorExpired;
    for operation in [O::DeltaStart, O::DeltaLink] {
        assert_eq!(class(operation, 410, &envelope("SyncStateNotFound", "")), expired);
        assert_eq!(class(operation, 410, &envelope("syncStateNotFound", "")), expired);
        assert_eq!(class(operation, 410, ""), expired, "410 + Location");
        assert_eq!(class(operation, 404, &envelope("SyncStateNotFound", "")), expired);
        assert_eq!(class(operation, 400, &envelope("resyncRequired", "")), expired);
    }
    assert_eq!(class(O::DeltaLink, 400, &envelope("BadRequest", "Badly formed token.")), expired);
    assert_eq!(
        class(O::DeltaStart, 400, &envelope("BadRequest", "")),
        ErrorClass::Invalid,
        "no token was sent"
    );
    assert_eq!(class(O::DeltaLink, 404, &envelope("ErrorItemNotFound", "")), ErrorClass::Gone);
    assert_eq!(class(O::DeltaLink, 503, &envelope("SyncStateNotFound", "")), ErrorClass::Transient);
    assert_eq!(class(O::GetEvent, 410, ""), ErrorClass::Gone);
}

#[test]
fn refusals_of_a_subscription() {
    use ErrorClass as C;
    let rows = [
        (400, "InvalidRequest", "Subscription validation request timed out.", C::Misconfigured),
        (400, "ValidationError", "Subscription validation request failed.", C::Misconfigured),
        (409, "Conflict", "Subscription Id <> already exists for the requested combination", C::Exists),
        (403, "Forbidden", "the limit of subscriptions was reached", C::RateLimited),
        (403, "ErrorAccessDenied", "", C::Unsupported),
        (
            400,
            "ExtensionError",
            "Operation: Create; Exception: [Status Code: NotFound; Reason: x]",
            C::Unsupported,
        ),
        (403, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden]", C::Unsupported),
        (
            400,
            "ExtensionError",
            "Operation: Create; Exception: [Status Code: ServiceUnavailable; Reason: x]",
            C::Transient,
        ),
        (403, "ExtensionError", "Operation: Create; Exception: [Status Code: TooManyRequests]", C::Transient),
        (404, "ErrorItemNotFound", "", C::Gone),
        (500, "", "", C::Ambiguous),
    ];
    assert_eq!(class(Operation::Subscribe, 403, "<html>no</html>"), C::Transient, "a proxy's");
    for (status, code, message, expected) in rows {
        assert_eq!(
            class(Operation::Subscribe, status, &envelope(code, message)),
            expected,
            "{status} {code} {message}"
        );
    }
    let full = classify(Operation::Subscribe, 403, envelope("x", "quota").as_bytes(), None, NOW);
    assert_eq!(full.error.retry_after, Some(QUOTA_WAIT));
    assert_eq!(class(Operation::Renew, 404, &envelope("ResourceNotFound", "")), C::Gone);
    assert_eq!(class(Operation::Renew, 500, ""), C::Transient, "renewing twice is harmless");
}

#[test]
fn retry_after_fractional_dated_or_missing() {
    let wait = |status, header: Option<&str>| {
        classify(Operation::DeltaLink, status, b"", header, NOW).error.retry_after
    };
    let dated = jiff::fmt::rfc2822::to_string(
        &NOW.plus(SignedDuration::from_secs(90)).to_jiff().to_zoned(jiff::tz::TimeZone::UTC),
    );
    assert_eq!(wait(429, Some("2.128")), Some(SignedDuration::from_millis(2_128)));
    assert_eq!(wait(429, Some("0.2")), Some(WAIT_MIN), "never less than a second");
    assert_eq!(wait(429, dated.ok().as_deref()), Some(SignedDuration::from_secs(90)));
    assert_eq!(wait(429, None), None);
    assert_eq!(wait(429, Some("soon")), None);
    assert_eq!(wait(503, Some("7")), Some(SignedDuration::from_secs(7)));
    assert_eq!(wait(404, Some("7")), None);
}

#[test]
fn both_spellings_of_the_inner_error_are_read() {
    for name in ["innerError", "innererror"] {
        let body =
            json!({"error": {"code": "UnknownError", name: {"code": "SyncStateNotFound"}}}).to_string();
        assert_eq!(class(Operation::DeltaLink, 404, &body), ErrorClass::CursorExpired, "{name}");
    }
}

#[test]
fn no_body_breaks_it() {
    let bodies: [&[u8]; 7] = [
        b"",
        b"null",
        b"[]",
        b"{\"error\":\"invalid\"}",
        b"{\"error\":{\"code\":5,\"innerError\":[1]}}",
        b"\xff\xfe",
        b"{\"error\":{\"code\":\"\\u0000 <script>\",\"message\":\"\\u0130\\u0130\"}}",
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
    use Operation as O;
    let body = br#"{"error":{"code":"ErrorItemNotFound","message":"The specified object was not found."}}"#;
    let answers = |operation: Operation, status| operation.is_answered_by(status, body);
    assert!(answers(O::DeleteEvent, 404) && answers(O::DeleteEvent, 400));
    assert!(answers(O::GetEvent, 404) && answers(O::Instances, 404));
    assert!(answers(O::Unsubscribe, 404) && !answers(O::Renew, 404));
    assert!(!answers(O::DeltaLink, 404) && !answers(O::UpdateEvent, 404));
    // A licence that lapsed, somebody who is gone, something in between: the event may stand all the same.
    for body in [
        "",
        "<h1>Not Found</h1>",
        r#"{"error":{"code":"MailboxNotEnabledForRESTAPI","message":"REST API is not yet supported for this mailbox."}}"#,
        r#"{"error":{"code":"ErrorInvalidUser","message":"The requested user is invalid."}}"#,
        r#"{"error":{"code":"ResourceNotFound","message":"Resource could not be discovered."}}"#,
    ] {
        for operation in [O::DeleteEvent, O::GetEvent, O::Instances] {
            assert!(!operation.is_answered_by(404, body.as_bytes()), "{operation:?}: {body}");
            let refused = classify(operation, 404, body.as_bytes(), None, NOW);
            assert_ne!(refused.error.class, ErrorClass::Gone, "{operation:?}: {body}");
        }
    }
    for operation in O::ALL {
        assert!(!operation.may_repeat(ErrorClass::Ambiguous), "{operation:?}");
    }
}
