//! Only what cannot hurt is repeated.

use super::*;
use jiff::SignedDuration;

#[derive(Clone, Copy, Debug)]
enum Op {
    Read,
    Keyed,
    Guarded,
}

impl Operate for Op {
    fn name(self) -> &'static str {
        "test"
    }
    fn units(self) -> u32 {
        1
    }
    fn effect(self) -> Effect {
        Effect::Writes
    }
    fn is_answered_by(self, _status: u16, _body: &[u8]) -> bool {
        false
    }
    fn may_repeat(self, class: ErrorClass) -> bool {
        match self {
            Op::Read => class == ErrorClass::Transient,
            Op::Keyed => matches!(class, ErrorClass::Transient | ErrorClass::Ambiguous),
            Op::Guarded => false,
        }
    }
}

/// How one try failed: the status, if there was an answer, and the class.
type Failure = (Option<u16>, ErrorClass);

fn decide(operation: Op, guarded: bool, failures: &[Failure]) -> Vec<Next> {
    let mut tries = Tries::default();
    let failed = |&(status, class)| Failed { status, error: ProviderError::new(class, "") };
    failures.iter().map(|f| tries.next(operation, guarded, &failed(f))).collect()
}

#[test]
fn only_what_cannot_hurt_is_repeated() {
    use ErrorClass as C;
    use Next::{Again, GiveUp, NewToken};
    let lost = (None, C::Ambiguous);
    let down = (Some(503), C::Transient);
    let old = (Some(401), C::Unauthorized);
    let table: [(Op, bool, &[Failure], &[Next]); 12] = [
        (Op::Read, false, &[down, down, down], &[Again, Again, GiveUp]),
        (Op::Read, false, &[(None, C::Transient)], &[Again]),
        (Op::Keyed, false, &[lost, lost, lost], &[Again, Again, GiveUp]),
        (Op::Keyed, false, &[lost, (Some(409), C::Exists)], &[Again, GiveUp]),
        (Op::Guarded, true, &[(Some(500), C::Ambiguous)], &[GiveUp]),
        (Op::Guarded, false, &[lost], &[GiveUp]),
        (Op::Read, false, &[old, old], &[NewToken, GiveUp]),
        (Op::Read, false, &[old, down, down, down], &[NewToken, Again, Again, GiveUp]),
        (Op::Read, false, &[(Some(403), C::Unauthorized)], &[GiveUp]),
        (Op::Keyed, false, &[(Some(412), C::Conflict), (Some(412), C::Conflict)], &[Again, GiveUp]),
        (Op::Guarded, true, &[(Some(412), C::Conflict)], &[GiveUp]),
        (Op::Read, false, &[(Some(429), C::RateLimited)], &[GiveUp]),
    ];
    for (operation, guarded, failures, expected) in table {
        assert_eq!(decide(operation, guarded, failures), expected, "{operation:?} {failures:?}");
    }
    let error = ProviderError {
        retry_after: Some(SignedDuration::from_secs(60)),
        ..ProviderError::new(C::Transient, "")
    };
    let long = Failed { status: Some(503), error };
    assert_eq!(Tries::default().next(Op::Read, false, &long), GiveUp, "a long wait is the engine's");
}
