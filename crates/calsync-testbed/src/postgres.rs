//! A PostgreSQL server, run by an unprivileged user.
