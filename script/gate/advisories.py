"""RustSec advisories against `Cargo.lock`, from a checkout of the database that is already on this machine. It never
fetches one: where there is none, the gate says so instead of passing in silence.
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .versions import Version, matches


@dataclass
class Advisory:
    """One advisory, as far as it decides whether a version is affected."""

    id: str
    package: str
    # `unmaintained`, `notice`, `unsound`, or `None` for a vulnerability.
    informational: str | None
    safe: list[str]

    def affects(self, name, version):
        """Whether this version of this crate is affected."""
        return name == self.package and not any(matches(requirement, version) for requirement in self.safe)


def parse(text):
    """The advisory in a file of the database; `None` if it was withdrawn."""
    front = re.match(r"\s*```toml\s*\n(.*?)\n```", text, re.DOTALL)
    if not front:
        raise ValueError("no front matter")
    fields = tomllib.loads(front[1])
    advisory, versions = fields["advisory"], fields.get("versions", {})
    if "withdrawn" in advisory:
        return None
    safe = versions.get("patched", []) + versions.get("unaffected", [])
    return Advisory(advisory["id"], advisory["package"], advisory.get("informational"), safe)


def find():
    """Where the database is, if it is here. One that was asked for by name must be here."""
    named = os.environ.get("ADVISORY_DB")
    if named:
        if not (Path(named) / "crates").is_dir():
            raise FileNotFoundError(f"ADVISORY_DB={named} holds no crates/ folder of advisories")
        return Path(named)
    here = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "advisory-db"
    return here if (here / "crates").is_dir() else None


def locked(lockfile):
    """Every crate of crates.io in a lockfile, on whatever target and for whatever purpose."""
    packages = tomllib.loads(lockfile)["package"]
    return [(p["name"], Version(p["version"])) for p in packages if "source" in p]


def check(database, packages, ignore):
    """What is wrong, and what is merely worth knowing, as two lists of sentences."""
    wrong, notes, used = [], [], set()
    ignored = {entry if isinstance(entry, str) else entry["id"] for entry in ignore}
    for name, version in sorted(packages, key=lambda p: (p[0], p[1])):
        for file in sorted((database / "crates" / name).glob("RUSTSEC-*.md")):
            advisory = parse(file.read_text(encoding="utf-8"))
            if advisory is None or not advisory.affects(name, version):
                continue
            used.add(advisory.id)
            kind = advisory.informational or "vulnerability"
            fails = kind in ("vulnerability", "unsound") and advisory.id not in ignored
            (wrong if fails else notes).append(f"{name} {version}: {advisory.id} ({kind})")
    wrong += [f"deny.toml ignores {id}, which affects nothing any more: take it out" for id in sorted(ignored - used)]
    return wrong, notes
