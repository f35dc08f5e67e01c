//! What PostgreSQL's own load generator is given to do: the single-row insert that a receipt amounts to, into the table
//! that the service fills and into a lean one. Ids, numbers and times count up, as the service's do, and come from a
//! sequence that each session draws from in large steps, so that making them costs next to nothing.

use calsync_core::ports::NewNotification;

/// What the scripts need, beside the tables of the service.
pub(super) const PREPARE: &str = "CREATE SEQUENCE measured_rows CACHE 10000; \
    CREATE TABLE measured_lean (id uuid NOT NULL PRIMARY KEY, subscription_id uuid NOT NULL, \
    notification_id text COLLATE \"C\" NOT NULL, received_at bigint NOT NULL, headers text COLLATE \"C\" NOT NULL, \
    payload text COLLATE \"C\" NOT NULL, processing_status text COLLATE \"C\" NOT NULL, \
    UNIQUE (subscription_id, notification_id))";

/// Where a script inserts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Into {
    /// The table of the service, with its indexes and its reference.
    TheTable,
    /// A table with a primary key and a unique index, and nothing else.
    ALeanTable,
}

impl Into {
    const fn table(self) -> &'static str {
        match self {
            Into::TheTable => "webhook_notifications",
            Into::ALeanTable => "measured_lean",
        }
    }
}

/// The script: one row like this one for any of so many subscriptions.
pub fn script(into: Into, like: &NewNotification, subscriptions: u32) -> String {
    let literal = |json: &serde_json::Value| format!("'{}'", quiet(&json.to_string()));
    format!(
        "\\set n random(0, {})\n\
         INSERT INTO {} (id, subscription_id, notification_id, received_at, headers, payload, processing_status) \
         SELECT lpad(to_hex(s), 32, '0')::uuid, lpad(:n::text, 32, '0')::uuid, s::text, {} + s, {}, {}, 'pending' \
         FROM nextval('measured_rows') AS s;\n",
        subscriptions.saturating_sub(1),
        into.table(),
        like.received_at.micros(),
        literal(&like.headers),
        literal(&like.payload),
    )
}

/// Of the same length, without what pgbench would take for a variable or SQL for the end of a text.
fn quiet(text: &str) -> String {
    let mut quiet = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let begins_name = letters.peek().is_some_and(|next| next.is_alphanumeric() || *next == '_');
        quiet.push(match letter {
            ':' if begins_name => '.',
            '\'' | '\\' => ' ',
            other => other,
        });
    }
    quiet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_hold_nothing_that_is_a_variable() {
        assert_eq!(quiet(r#"{"a":"08:00:00 it's"}"#), r#"{"a":"08.00.00 it s"}"#);
    }
}
