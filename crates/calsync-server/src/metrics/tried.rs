//! What became of things, as words for labels. Each list is closed.

use axum::http::StatusCode;

/// What a provider's delivery came to. A handler says so where the status does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is on disk.
    Accepted,
    /// It was there already.
    Duplicate,
    /// It asked whether we are there.
    Handshake,
    /// It is not believed, or came in clear.
    Refused,
    /// It makes no sense.
    Malformed,
    /// Its sender is asked to wait.
    Limited,
    /// It could not be stored, or not in time: its provider tries again.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 7] = [
        Outcome::Accepted,
        Outcome::Duplicate,
        Outcome::Handshake,
        Outcome::Refused,
        Outcome::Malformed,
        Outcome::Limited,
        Outcome::Failed,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Duplicate => "duplicate",
            Outcome::Handshake => "handshake",
            Outcome::Refused => "refused",
            Outcome::Malformed => "malformed",
            Outcome::Limited => "limited",
            Outcome::Failed => "failed",
        }
    }

    /// As the status says.
    pub fn of(status: StatusCode) -> Outcome {
        match status.as_u16() {
            429 => Outcome::Limited,
            500.. => Outcome::Failed,
            300..400 | 401 | 403 | 404 => Outcome::Refused,
            400.. => Outcome::Malformed,
            _ => Outcome::Accepted,
        }
    }
}

/// How a worker's step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stepped {
    /// It did all that it could.
    Done,
    /// It was broken off.
    Failed,
    /// Another worker has taken it over.
    LeaseLost,
}

impl Stepped {
    /// All of them.
    pub const ALL: [Stepped; 3] = [Stepped::Done, Stepped::Failed, Stepped::LeaseLost];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stepped::Done => "done",
            Stepped::Failed => "failed",
            Stepped::LeaseLost => "lease_lost",
        }
    }
}

/// What a try to tell somebody came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tried {
    /// It arrived.
    Delivered,
    /// It did not.
    Failed,
    /// That was the last try: the message reaches nobody this way. Counted beside the try that failed.
    GivenUp,
}

impl Tried {
    /// All of them.
    pub const ALL: [Tried; 3] = [Tried::Delivered, Tried::Failed, Tried::GivenUp];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tried::Delivered => "delivered",
            Tried::Failed => "failed",
            Tried::GivenUp => "given_up",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_what_it_is_to_a_provider() {
        for (status, receipt) in [
            (200, "accepted"),
            (202, "accepted"),
            (308, "refused"),
            (400, "malformed"),
            (401, "refused"),
            (403, "refused"),
            (404, "refused"),
            (405, "malformed"),
            (413, "malformed"),
            (429, "limited"),
            (500, "failed"),
            (503, "failed"),
        ] {
            let told = Outcome::of(StatusCode::from_u16(status).unwrap());
            assert_eq!(told.as_str(), receipt, "{status}");
        }
    }
}
