//! What kind of cluster to start. The defaults are those of a careful operator, and every one of them that guards what
//! was committed stays on.

use super::APP_PASSWORD;

/// Who is let in over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    Trust,
    /// Who knows the password, by SCRAM.
    Password,
}

/// Whether connections over TCP are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    Off,
    /// If the client wants it.
    Offered,
    /// Else they are refused.
    Required,
}

/// How to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Breaks all connections, rolls back what is open, writes a checkpoint.
    Fast,
    /// Like a crash: the next start recovers.
    Immediate,
}

impl Mode {
    pub(super) fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

/// What kind of cluster to start.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Who is let in over TCP.
    pub auth: Auth,
    /// Whether that is encrypted.
    pub tls: Tls,
    /// How many connections it takes.
    pub max_connections: u16,
    /// Settings besides, as in `postgresql.conf`. `ALTER SYSTEM` goes above them.
    pub settings: Vec<(String, String)>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { auth: Auth::Password, tls: Tls::Off, max_connections: 100, settings: Vec::new() }
    }
}

impl ClusterOptions {
    /// The same with one setting more, such as `("wal_level", "logical")`.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What [`super::APP`] has to say to come in.
    pub(super) fn password(&self) -> Option<&'static str> {
        match self.auth {
            Auth::Trust => None,
            Auth::Password => Some(APP_PASSWORD),
        }
    }

    /// `postgresql.conf`, of which the last line about something counts.
    pub(super) fn settings_file(&self) -> String {
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("max_connections", &self.max_connections.to_string()),
            ("fsync", "on"),
            ("full_page_writes", "on"),
            // Files of the data directory, so that they go with it when it is killed.
            ("dynamic_shared_memory_type", "mmap"),
            ("log_line_prefix", "%m [%p] %q%u@%d "),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let line = |(name, value): &(String, String)| format!("{name} = '{}'\n", value.replace('\'', "''"));
        own.iter().chain(&self.settings).map(line).collect()
    }

    /// `pg_hba.conf`: the superuser through the socket, everybody else as the options say.
    pub(super) fn admission_file(&self) -> String {
        let way = match self.tls {
            Tls::Off | Tls::Offered => "host",
            Tls::Required => "hostssl",
        };
        let proof = match self.auth {
            Auth::Trust => "trust",
            Auth::Password => "scram-sha-256",
        };
        format!(
            "local all postgres trust\nlocal replication postgres trust\n{way} all all 127.0.0.1/32 {proof}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted_and_the_tests_own_come_last() {
        let file = ClusterOptions::default().set("fsync", "off").set("search_path", "a, 'b'").settings_file();
        assert!(file.ends_with("fsync = 'off'\nsearch_path = 'a, ''b'''\n"), "{file}");
        assert!(file.contains("fsync = 'on'\n"));
    }

    #[test]
    fn who_is_let_in() {
        let options = |auth, tls| ClusterOptions { auth, tls, ..ClusterOptions::default() }.admission_file();
        assert!(options(Auth::Trust, Tls::Off).ends_with("\nhost all all 127.0.0.1/32 trust\n"));
        assert!(
            options(Auth::Password, Tls::Required)
                .ends_with("\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        );
    }
}
