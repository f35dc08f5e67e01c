"""The graph of crates, as `cargo metadata` tells it: who needs whom, and for what. It never judges."""

import json
import subprocess
from dataclasses import dataclass, field

from .versions import Version

TARGET = "x86_64-unknown-linux-gnu"
# `cargo metadata` calls a normal edge null.
NORMAL, BUILD, DEV = "normal", "build", "dev"


@dataclass
class Crate:
    """One version of one crate."""

    id: str
    name: str
    version: Version
    licence: str | None
    source: str | None
    member: bool
    # For each crate needed: what for.
    needs: dict[str, set[str]] = field(default_factory=dict)

    def __str__(self):
        return f"{self.name} {self.version}"


class Graph:
    """All crates that any feature of any member can bring in on the target."""

    def __init__(self, metadata):
        members = set(metadata["workspace_members"])
        self.crates = {
            p["id"]: Crate(
                p["id"], p["name"], Version(p["version"]), p.get("license"), p.get("source"), p["id"] in members
            )
            for p in metadata["packages"]
        }
        packages = {p["id"]: p for p in metadata["packages"]}
        for node in metadata["resolve"]["nodes"]:
            switched_on = _switched_on(packages[node["id"]], node["features"])
            for dependency in node["deps"]:
                needed = packages[dependency["pkg"]]["name"]
                kinds = {kind["kind"] or NORMAL for kind in dependency["dep_kinds"]}
                kinds &= {kind for name, kind in switched_on if name == needed}
                if kinds:
                    self.crates[node["id"]].needs.setdefault(dependency["pkg"], set()).update(kinds)
        self.members = sorted((c for c in self.crates.values() if c.member), key=lambda c: c.name)

    def reach(self, roots, kinds):
        """All that the roots need over edges of these kinds, the roots left out unless something needs them."""
        found, todo = {}, list(roots)
        while todo:
            for needed, why in todo.pop().needs.items():
                if why & set(kinds) and needed not in found:
                    found[needed] = self.crates[needed]
                    todo.append(self.crates[needed])
        return sorted(found.values(), key=lambda c: (c.name, c.version))

    def foreign(self, kinds):
        """The crates of others that the workspace needs over edges of these kinds."""
        return [c for c in self.reach(self.members, kinds) if not c.member]

    def needed_by(self, crate, kinds):
        """The names of those that need a crate directly, over edges of these kinds."""
        needing = [*self.members, *self.reach(self.members, kinds)]
        return sorted({c.name for c in needing if c.needs.get(crate.id, set()) & set(kinds)})

    def path(self, root, crate, kinds):
        """How a root comes to need a crate: the names along one shortest way."""
        came, todo = {root.id: None}, [root.id]
        for at in todo:
            if at == crate.id:
                break
            for needed, why in self.crates[at].needs.items():
                if why & set(kinds) and needed not in came:
                    came[needed] = at
                    todo.append(needed)
        names, at = [], crate.id
        while at is not None:
            names.append(self.crates[at].name)
            at = came.get(at)
        return " > ".join(reversed(names))


def _switched_on(package, features):
    """The dependencies of a package that are really in use, as (name, kind).

    `cargo metadata` lists an optional one as soon as somebody mentions a weak feature of it (`name?/feature`), though
    cargo would never build it. So the features that are on decide here: `dep:name` or `name/feature` among them.
    """
    implied = [entry for feature in features for entry in package["features"].get(feature, [])]
    on = {entry.removeprefix("dep:").split("/")[0] for entry in implied if "?/" not in entry}
    return {
        (d["name"], d["kind"] or NORMAL)
        for d in package["dependencies"]
        if not d["optional"] or (d["rename"] or d["name"]) in on
    }


def load(root):
    """The graph of the workspace at `root`. Fails if `Cargo.lock` is out of date."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", TARGET]
    output = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True).stdout
    return Graph(json.loads(output))
