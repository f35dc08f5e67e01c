"""Versions and version requirements, as far as policies and advisories use them (semver.org §11; the Cargo book,
"Specifying Dependencies"). It never resolves anything.

One deviation, on purpose: a pre-release counts as standing in its place in the order, for every requirement. Cargo hides
pre-releases from most requirements; a gate that does so would wave through a banned or vulnerable one.
"""

import re
from functools import total_ordering


@total_ordering
class Version:
    """A full version; build metadata has no say in the order."""

    def __init__(self, text):
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", text)
        if not match:
            raise ValueError(f"not a version: {text!r}")
        self.text = text
        self.numbers = tuple(int(n) for n in match.groups()[:3])
        # A release stands after all of its pre-releases; within those, numbers stand before words.
        parts = (match[4] or "").split(".") if match[4] else []
        self.rank = (not parts, [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts])

    def _key(self):
        return (self.numbers, self.rank)

    def __eq__(self, other):
        return self._key() == other._key()

    def __lt__(self, other):
        return self._key() < other._key()

    def __hash__(self):
        return hash((self.numbers, self.text))

    def __repr__(self):
        return self.text

    def family(self):
        """What cargo treats as one: versions of the same family can stand in for each other."""
        major, minor, patch = self.numbers
        if major:
            return f"{major}"
        return f"0.{minor}" if minor else f"0.0.{patch}"


def _bounds(comparator):
    """The half-open interval [low, high) that a comparator admits; `None`: no bound on that side."""
    match = re.fullmatch(r"\s*(\^|~|>=|<=|>|<|=)?\s*v?(\d+)(?:\.(\d+|\*))?(?:\.(\d+|\*))?(-[0-9A-Za-z.-]+)?(?:\+\S+)?\s*", comparator)
    if not match:
        raise ValueError(f"not a version requirement: {comparator!r}")
    sign, *numbers, pre = match.groups()
    wild = "*" in numbers
    given = [int(n) for n in numbers if n not in (None, "*")]
    full = given + [0] * (3 - len(given))
    low = Version("{}.{}.{}".format(*full) + (pre or ""))
    after = _next(given, len(given) - 1)
    match sign or ("~" if wild else "^"):
        case ">=":
            return low, None
        case "<":
            return None, low
        case ">":
            return (after if len(given) < 3 else _just_after(low)), None
        case "<=":
            return None, (after if len(given) < 3 else _just_after(low))
        case "=":
            return low, (after if len(given) < 3 else _just_after(low))
        case "~":
            return low, _next(given, min(len(given) - 1, 1))
        case _:
            significant = next((i for i, n in enumerate(given) if n), len(given) - 1)
            return low, _next(given, significant)


def _next(given, index):
    """The first version after all that share the numbers up to `index`."""
    numbers = given[:index] + [given[index] + 1] + [0] * (2 - index)
    return Version("{}.{}.{}-0".format(*numbers))


def _just_after(version):
    """The least version after this one."""
    if version.rank[0]:
        major, minor, patch = version.numbers
        return Version(f"{major}.{minor}.{patch + 1}-0")
    return Version(f"{version.text.split('+')[0]}.0")


def matches(requirement, version):
    """Whether a version satisfies every comparator of a requirement, e.g. `>=1.2, <1.5`. `*` and `` admit all."""
    if requirement.strip() in ("", "*"):
        return True
    for comparator in requirement.split(","):
        low, high = _bounds(comparator)
        if (low and version < low) or (high and not version < high):
            return False
    return True


class Spec:
    """A crate by name, by name and exact version (`name@1.2.3`), or by name and requirement (`name:<1`)."""

    def __init__(self, text):
        match = re.fullmatch(r"([A-Za-z0-9_-]+)(?:([@:])(.+))?", text.strip())
        if not match:
            raise ValueError(f"not a crate: {text!r}")
        self.text = text.strip()
        self.name = match[1]
        self.requirement = {"@": f"={match[3]}", ":": match[3], None: "*"}[match[2]]

    def covers(self, name, version):
        """Whether this crate is meant."""
        return name == self.name and matches(self.requirement, version)
