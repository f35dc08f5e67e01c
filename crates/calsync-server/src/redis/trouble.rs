//! What is wrong with Redis, in words that say what to do. Pure. What the server said is looked at and never repeated:
//! some servers answer a password that they do not understand by reading it back.

use std::fmt;
use std::io;
use std::sync::Arc;

use ::redis::{ErrorKind, RedisError};

/// Why Redis is of no use just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each has its words below")]
pub enum Trouble {
    Refused,
    Unresolved,
    Unreachable,
    Slow,
    Closed,
    Untrusted,
    NoTls,
    NotRedis,
    NoPassword,
    WrongPassword,
    NoPermission,
    Loading,
    Full,
    Replica,
    Cluster,
    Crowded,
    CannotSave,
    NoDatabase,
    WrongType,
    Other,
}

impl Trouble {
    /// What to tell the operator.
    pub const fn words(self) -> &'static str {
        match self {
            Trouble::Refused => "nothing listens there: start Redis, or correct redis.url",
            Trouble::Unresolved => {
                "the name of its host cannot be resolved: correct redis.url, or look at DNS"
            }
            Trouble::Unreachable => "it cannot be reached: look at the network, or correct redis.url",
            Trouble::Slow => {
                "it does not answer in time: look at its load, at the network, and, where redis.url says rediss://, \
                 whether it speaks TLS"
            }
            Trouble::Closed => {
                "it closed the connection: it was stopped, or it expects TLS (then write rediss:// in redis.url)"
            }
            Trouble::Untrusted => {
                "its certificate is not trusted for this host name: add its authority to the system's, or correct \
                 redis.url"
            }
            Trouble::NoTls => "it does not speak TLS: write redis:// in redis.url, or switch TLS on in Redis",
            Trouble::NotRedis => {
                "what answers there is not Redis: correct host and port of redis.url, and write rediss:// if it \
                 expects TLS"
            }
            Trouble::NoPassword => {
                "it asks for a password: put it into redis.url, as in redis://:PASSWORD@HOST"
            }
            Trouble::WrongPassword => {
                "it does not take the user and password of redis.url: correct them (special characters \
                 percent-encoded)"
            }
            Trouble::NoPermission => {
                "the user of redis.url may not do what is needed: docs/operations.md lists the permissions"
            }
            Trouble::Loading => "it is reading its data from disk: it is tried again until it is ready",
            Trouble::Full => {
                "its memory is full: raise maxmemory in Redis, or set maxmemory-policy to volatile-ttl"
            }
            Trouble::Replica => "it is a replica and takes no writes: name the primary in redis.url",
            Trouble::Cluster => {
                "it is a node of a cluster, or has lost its primary: name a single server in redis.url"
            }
            Trouble::Crowded => "it takes no more clients: raise maxclients in Redis",
            Trouble::CannotSave => "it takes no writes because it cannot save to disk: look at its log",
            Trouble::NoDatabase => "it has no database of that number: correct the end of redis.url",
            Trouble::WrongType => {
                "keys that begin with calendar_sync hold something that is not ours: remove them, or give \
                 calendar-sync a database of its own, as in redis://HOST/1"
            }
            Trouble::Other => "it refused a command: Redis 5 or newer, or Valkey, is needed",
        }
    }

    /// What an error of the client means.
    pub(super) fn of(error: &RedisError) -> Trouble {
        if let Some(tls) = source::<rustls::Error>(error) {
            return of_tls(tls);
        }
        if let Some(io) = source::<io::Error>(error) {
            return of_io(io);
        }
        match error.kind() {
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Trouble::NotRedis,
            ErrorKind::Io => Trouble::Closed,
            ErrorKind::AuthenticationFailed => Trouble::WrongPassword,
            _ => of_answer(&format!(
                "{} {}",
                error.code().unwrap_or_default(),
                error.detail().unwrap_or_default()
            )),
        }
    }
}

/// A cause as errors name it.
type Cause<'a> = &'a (dyn std::error::Error + 'static);

/// Finds an error of this type among the causes.
fn source<E: std::error::Error + 'static>(error: &RedisError) -> Option<&E> {
    let mut cause: Option<Cause<'_>> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        // Both of these name as their cause that of what they hold, and so hide what they hold.
        let held = inner.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>();
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match (held, wrapped) {
            (Some(held), _) => Some(held.as_ref() as Cause<'_>),
            (None, Some(wrapped)) => Some(wrapped as Cause<'_>),
            (None, None) => inner.source(),
        };
    }
    None
}

fn of_tls(error: &rustls::Error) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(_) => Trouble::Untrusted,
        _ => Trouble::NoTls,
    }
}

fn of_io(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Trouble::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::Slow,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Trouble::Unreachable,
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Trouble::Closed,
        // What the resolver says has no kind of its own.
        _ if error.to_string().contains("lookup") => Trouble::Unresolved,
        _ => Trouble::Unreachable,
    }
}

/// What the server answered. Errors out of a script carry their code in the text, at different places in different
/// versions, so it is looked for.
fn of_answer(text: &str) -> Trouble {
    const CODES: &[(&str, Trouble)] = &[
        ("NOAUTH", Trouble::NoPassword),
        ("Authentication required", Trouble::NoPassword),
        ("WRONGPASS", Trouble::WrongPassword),
        ("NOPERM", Trouble::NoPermission),
        ("The user executing the script", Trouble::NoPermission),
        ("LOADING", Trouble::Loading),
        ("OOM ", Trouble::Full),
        ("READONLY", Trouble::Replica),
        ("MASTERDOWN", Trouble::Cluster),
        ("MOVED", Trouble::Cluster),
        ("CLUSTERDOWN", Trouble::Cluster),
        ("CROSSSLOT", Trouble::Cluster),
        ("max number of clients", Trouble::Crowded),
        ("MISCONF", Trouble::CannotSave),
        ("DB index", Trouble::NoDatabase),
        ("WRONGTYPE", Trouble::WrongType),
        ("user_script", Trouble::WrongType),
    ];
    CODES.iter().find(|(code, _)| text.contains(code)).map_or(Trouble::Other, |(_, trouble)| *trouble)
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_answers_is_told_apart() {
        for (answer, trouble) in [
            ("NOAUTH Authentication required.", Trouble::NoPassword),
            ("WRONGPASS invalid username-password pair or user is disabled.", Trouble::WrongPassword),
            ("NOPERM this user has no permissions to run the 'eval' command", Trouble::NoPermission),
            (
                "ERR The user executing the script can't run this command or subcommand script: 1f, on @user_script:9.",
                Trouble::NoPermission,
            ),
            ("LOADING Redis is loading the dataset in memory", Trouble::Loading),
            (
                "OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:9.",
                Trouble::Full,
            ),
            ("ERR Error running script: @user_script:9: -OOM command not allowed", Trouble::Full),
            ("READONLY You can't write against a read only replica.", Trouble::Replica),
            ("MOVED 3999 127.0.0.1:6381", Trouble::Cluster),
            ("MISCONF Redis is configured to save RDB snapshots", Trouble::CannotSave),
            ("ERR max number of clients reached", Trouble::Crowded),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Trouble::WrongType),
            ("ERR user_script:9: attempt to compare nil with number", Trouble::WrongType),
            ("ERR unknown command 'EVAL'", Trouble::Other),
        ] {
            assert_eq!(of_answer(answer), trouble, "{answer}");
        }
    }

    #[test]
    fn a_failure_of_the_line_is_told_apart() {
        let wrapped = |tls| io::Error::new(io::ErrorKind::InvalidData, tls);
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for (error, trouble) in [
            (io::ErrorKind::ConnectionRefused.into(), Trouble::Refused),
            (io::ErrorKind::ConnectionReset.into(), Trouble::Closed),
            (io::ErrorKind::UnexpectedEof.into(), Trouble::Closed),
            (io::Error::other("failed to lookup address information"), Trouble::Unresolved),
            (wrapped(untrusted), Trouble::Untrusted),
            (
                wrapped(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)),
                Trouble::NoTls,
            ),
        ] {
            let words = error.to_string();
            assert_eq!(Trouble::of(&RedisError::from(error)), trouble, "{words}");
        }
        let nonsense = RedisError::from((ErrorKind::Parse, "nonsense"));
        assert_eq!(Trouble::of(&nonsense), Trouble::NotRedis);
    }

    #[test]
    fn a_password_that_is_read_back_is_not_repeated() {
        let answer = "ERR unknown command `AUTH`, with args beginning with: `hunter2`";
        let error = RedisError::from((ErrorKind::Extension, "AUTH failed", answer.to_owned()));
        assert!(!Trouble::of(&error).to_string().contains("hunter2"));
    }
}
