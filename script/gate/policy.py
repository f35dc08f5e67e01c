"""The part of the policy that `deny.toml` has no words for: the layers of the workspace, and crates for tests only.

It holds data and no logic. The layers are those of ARCHITECTURE.md; whoever changes one changes both.
"""

from dataclasses import dataclass

SQL = ("sqlx*", "libsqlite3-sys", "rusqlite", "diesel*", "sea-orm*", "postgres*", "tokio-postgres")
HTTP = ("http", "http-body*", "hyper*", "h2", "axum*", "reqwest", "tower-http")
RUNTIME = ("tokio*", "mio", "async-io", "async-executor", "futures-executor", "socket2")


@dataclass(frozen=True)
class Layer:
    """What one crate of the workspace may know. Patterns are those of a shell."""

    # Members that what ships may use, and that its tests may use besides.
    members: frozenset = frozenset()
    for_tests: frozenset = frozenset()
    # Foreign crates that may not be reached by any way, and those that may not be named in its own manifest.
    never_reaches: tuple = ()
    never_names: tuple = ()


CORE = frozenset({"calsync-core"})
# Real servers, for tests.
TESTBED = frozenset({"calsync-testbed"})

LAYERS = {
    "calsync-core": Layer(never_reaches=RUNTIME + HTTP + SQL),
    "calsync-providers": Layer(members=CORE, for_tests=frozenset({"calsync-sim"}), never_reaches=SQL),
    "calsync-store": Layer(members=CORE, for_tests=TESTBED, never_reaches=HTTP),
    "calsync-engine": Layer(members=CORE, for_tests=frozenset({"calsync-store"}), never_reaches=SQL + HTTP),
    "calsync-pages": Layer(members=CORE | {"calsync-engine"}, never_reaches=SQL + HTTP),
    "calsync-sim": Layer(
        members=CORE, for_tests=frozenset({"calsync-engine", "calsync-store"}) | TESTBED, never_reaches=SQL
    ),
    "calsync-server": Layer(
        members=frozenset(
            {
                "calsync-core",
                "calsync-engine",
                "calsync-pages",
                "calsync-providers",
                "calsync-sim",
                "calsync-store",
            }
        ),
        for_tests=TESTBED,
        never_names=SQL,
    ),
    # Judges of what reads bytes from outside; nothing uses it.
    "calsync-fuzz": Layer(
        members=frozenset({"calsync-core", "calsync-providers", "calsync-server", "calsync-store"}), never_names=SQL
    ),
    "calsync-testbed": Layer(never_reaches=RUNTIME + HTTP + SQL),
}

# Crates that tests may use as a second opinion, and that must not ship.
TESTS_ONLY = {
    "chrono": "fixed offsets pass for time zones: jiff does the time arithmetic",
    "chrono-tz": "its zone data is as old as its release: jiff's bundled data is the one that we keep current",
    "rrule": "the oracle that our own expansion is compared with",
}

SOURCES = ("registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/")
