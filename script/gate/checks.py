"""The checks of the gate: each takes the graph and the policy, and gives the findings as sentences. It never prints."""

from fnmatch import fnmatchcase

from . import policy
from .graph import BUILD, DEV, NORMAL
from .licences import satisfiable
from .versions import Spec

SHIPS = (NORMAL, BUILD)
ALL = (NORMAL, BUILD, DEV)


def licences(graph, deny):
    """Every licence expression can be satisfied by the allow list."""
    allowed = set(deny["licenses"]["allow"])
    for crate in sorted(graph.crates.values(), key=str):
        try:
            if not satisfiable(crate.licence or "", allowed):
                yield f"{crate}: licence {crate.licence!r} needs something that deny.toml does not allow"
        except ValueError as error:
            yield f"{crate}: {error}"


def sources(graph):
    """Everything comes from crates.io, or is a member of the workspace."""
    for crate in sorted(graph.crates.values(), key=str):
        if not (crate.member if crate.source is None else crate.source in policy.SOURCES):
            yield f"{crate}: comes from {crate.source or 'a path outside the workspace'}, not from crates.io"


def _entries(listed):
    """The entries of a list in deny.toml, each with the crate that it is about."""
    for entry in listed:
        entry = {"crate": entry} if isinstance(entry, str) else entry
        yield Spec(entry["crate"]), entry


def banned(graph, deny):
    """No banned crate anywhere, and none in what ships that is there for tests only."""
    for spec, entry in _entries(deny["bans"]["deny"]):
        for crate in graph.foreign(ALL):
            if spec.covers(crate.name, crate.version):
                yield f"{crate} is banned ({entry['reason']}); needed by {', '.join(graph.needed_by(crate, ALL))}"
    for crate in graph.foreign(SHIPS):
        if crate.name in policy.TESTS_ONLY:
            users = ", ".join(graph.needed_by(crate, SHIPS))
            yield f"{crate} is for tests only ({policy.TESTS_ONLY[crate.name]}); needed by {users}"


def duplicates(graph):
    """The crates of which more than one family of versions ships, each with its versions, oldest first."""
    versions = {}
    for crate in graph.foreign(SHIPS):
        versions.setdefault(crate.name, {})[crate.version.family()] = crate
    return {name: sorted(found.values(), key=lambda c: c.version) for name, found in versions.items() if len(found) > 1}


def unexplained_duplicates(graph, deny):
    """Every older version beside a newer one has an entry with a reason, and every entry has such a version."""
    entries = list(_entries(deny["bans"].get("skip", [])))
    used = set()
    for found in duplicates(graph).values():
        for crate in found[:-1]:
            spec = next((spec for spec, _ in entries if spec.covers(crate.name, crate.version)), None)
            if spec:
                used.add(spec.text)
            else:
                users = ", ".join(graph.needed_by(crate, SHIPS))
                yield f"{crate} stands beside {found[-1]}: get rid of it, or say why under bans.skip in deny.toml; needed by {users}"
    for spec, entry in entries:
        if spec.text not in used:
            yield f"bans.skip in deny.toml lists {spec.text}, which is no duplicate any more: take the entry out"
        if not entry.get("reason"):
            yield f"bans.skip in deny.toml lists {spec.text} without a reason"


def explained_duplicates(graph, deny):
    """The known duplicates, each with its reason."""
    entries = list(_entries(deny["bans"].get("skip", [])))
    for name, found in sorted(duplicates(graph).items()):
        reasons = [e.get("reason", "") for spec, e in entries if any(spec.covers(c.name, c.version) for c in found[:-1])]
        if reasons:
            yield f"{name} {' and '.join(str(c.version) for c in found)}: {'; '.join(reasons)}"


def _any(patterns, name):
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def layers(graph):
    """Each member knows only those that its layer may know."""
    for name in sorted(policy.LAYERS.keys() - {member.name for member in graph.members}):
        yield f"script/gate/policy.py gives {name} a layer, and there is no such member"
    for member in graph.members:
        layer = policy.LAYERS.get(member.name)
        if layer is None:
            yield f"{member.name} has no layer: say in script/gate/policy.py and ARCHITECTURE.md what it may know"
            continue
        for needed, why in member.needs.items():
            crate = graph.crates[needed]
            ships = bool(why & set(SHIPS))
            # A crate may switch on features of its own for its tests.
            itself = crate.name == member.name and not ships
            if crate.member and not itself and crate.name not in (layer.members if ships else layer.members | layer.for_tests):
                yield f"{member.name} may not use {crate.name}{'' if ships else ', not even in tests'}"
            if ships and _any(layer.never_names, crate.name):
                yield f"{member.name} may not name {crate.name} in its manifest"
        for crate in graph.reach([member], SHIPS):
            if _any(layer.never_reaches, crate.name):
                yield f"{member.name} may not reach {crate.name}: {graph.path(member, crate, SHIPS)}"


def counts(graph):
    """How many crates of others ship, are needed only to build, and only to test."""
    normal, build, every = (len(graph.foreign(kinds)) for kinds in ((NORMAL,), SHIPS, ALL))
    return normal, build - normal, every - build
