//! What PostgreSQL's error codes mean to a person (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), and
//! to whoever called.

use std::io::ErrorKind;
use std::time::Duration;

use calsync_core::ports::StoreError;

const UNTRUSTED: &str =
    "no trusted connection: check sslmode and sslrootcert in database.url, and the server's certificate";
const BROKEN_OFF: [ErrorKind; 4] = [
    ErrorKind::UnexpectedEof,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::BrokenPipe,
];

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Whether the connection is of no use any more: it broke, or the server has sent us away.
pub(super) fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // Shut down by an administrator or a crash, a database that is gone, a session that idled too long; a primary that
        // became a standby.
        _ => {
            matches!(code(error).as_deref(), Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006"))
        }
    }
}

/// No answer, for so long.
pub(super) fn silent(waited: Duration) -> StoreError {
    StoreError::Unavailable(format!("the server did not answer within {} s", waited.as_secs_f32()))
}

/// What went wrong, in words that say what to do.
pub(crate) fn error(error: sqlx::Error) -> StoreError {
    let detail = error.to_string();
    let words = |what: &str| StoreError::Unavailable(format!("{what} ({detail})"));
    let Some(code) = code(&error) else { return without_code(error, &detail) };
    match code.as_str() {
        "23503" => StoreError::Conflict("what it refers to does not exist".to_owned()),
        "23505" => StoreError::Conflict(format!("it exists already ({detail})")),
        "40001" | "40P01" => StoreError::Contended(format!("another transaction was in the way ({detail})")),
        "55P03" => {
            StoreError::Contended(format!("another transaction holds a row or a table for long ({detail})"))
        }
        "28P01" => words("the server refuses the user or the password: check database.url"),
        "28000" => words(
            "the server refuses the user, or lets it in only otherwise: check user and sslmode in database.url, and the \
             server's pg_hba.conf",
        ),
        "55000" if detail.contains("not currently accepting") => words(
            "the database takes no connections: ALTER DATABASE … ALLOW_CONNECTIONS true, or check database.url",
        ),
        "3D000" => words("the server has no such database: create it, or check database.url"),
        "42501" => words("the user lacks the right to do this: make it the owner of the database"),
        "53300" => words(
            "the server has no connection left: raise its max_connections, or lower database.max_connections",
        ),
        "53100" => words("the disk of the server is full: free some space on it, nothing was lost"),
        "53200" => words("the server has not enough memory"),
        "57014" => words("the server gave up on a statement that took too long"),
        "57P01" | "57P02" | "57P03" | "57P05" => {
            words("the server is stopping or starting: it is tried again")
        }
        "25P03" | "25P02" => words("the transaction was ended by the server"),
        "25006" => words("the server takes no writes: it is a standby, or was made read-only"),
        "42P01" | "42703" => StoreError::Corrupt(format!(
            "a table or column is missing: the database is not one of calendar-sync ({detail})"
        )),
        "58030" => words("the disk of the server reported an error: look at its log"),
        _ => match code.get(..2) {
            // Data that fits no column, and constraints.
            Some("22" | "23" | "54") => StoreError::Conflict(format!("it is not allowed ({detail})")),
            Some("08" | "53" | "57") => words("the server cannot serve now"),
            Some("58" | "XX") => {
                StoreError::Corrupt(format!("the server reports damage: look at its log ({detail})"))
            }
            _ => StoreError::Corrupt(detail),
        },
    }
}

fn without_code(error: sqlx::Error, detail: &str) -> StoreError {
    let words = |what: &str| StoreError::Unavailable(format!("{what} ({detail})"));
    match error {
        sqlx::Error::PoolTimedOut => words(
            "no connection became free in time: look at what keeps the server busy, or raise database.max_connections",
        ),
        sqlx::Error::PoolClosed => StoreError::Unavailable("it was closed".to_owned()),
        // That is how the encrypting layer says that it does not believe.
        sqlx::Error::Io(e) if e.kind() == ErrorKind::InvalidData => words(UNTRUSTED),
        sqlx::Error::Io(e) if e.kind() == ErrorKind::NotFound => words(
            "a file that database.url names is not there: check sslrootcert, or the directory of the socket",
        ),
        sqlx::Error::Io(e) if BROKEN_OFF.contains(&e.kind()) => words(
            "the connection broke off: the server has stopped, or what answers there is no PostgreSQL server",
        ),
        sqlx::Error::Io(_) => {
            words("the server can't be reached: check that it runs, and host and port in database.url")
        }
        sqlx::Error::Tls(_) => words(UNTRUSTED),
        sqlx::Error::Configuration(_) => words("database.url asks for something that can't be done"),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => StoreError::Corrupt(detail.to_owned()),
        sqlx::Error::Encode(_) => StoreError::Conflict(format!("a value can't be stored ({detail})")),
        // What is no PostgreSQL server says things that make no sense.
        sqlx::Error::Protocol(_) => words("what answers there is no PostgreSQL server, or it broke off"),
        _ => StoreError::Unavailable(detail.to_owned()),
    }
}
