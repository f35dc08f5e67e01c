"""Tests of the gate's logic, on graphs made by hand. They never call cargo and never read the workspace."""

import tempfile
import unittest
from pathlib import Path

from gate import advisories, checks, policy
from gate.graph import BUILD, DEV, NORMAL, Graph
from gate.licences import satisfiable
from gate.versions import Spec, Version, matches

CRATES_IO = policy.SOURCES[0]


def graph(packages, features=None):
    """A graph from {"name@version": {"needed name@version": kind or (kind, "optional")}}; members have version 0.1.0 and
    begin with `calsync-`."""
    features, metadata = features or {}, {"packages": [], "resolve": {"nodes": []}, "workspace_members": []}
    for id, needs in packages.items():
        name, version = id.split("@")
        member = name.startswith("calsync-")
        declared, deps = [], []
        for needed, kind in needs.items():
            kind, optional = kind if isinstance(kind, tuple) else (kind, None)
            told = None if kind == NORMAL else kind
            declared.append({"name": needed.split("@")[0], "rename": None, "kind": told, "optional": bool(optional)})
            deps.append({"pkg": needed, "dep_kinds": [{"kind": told}]})
        metadata["packages"].append(
            {
                "id": id,
                "name": name,
                "version": version,
                "license": "MIT",
                "source": None if member else CRATES_IO,
                "dependencies": declared,
                "features": features.get(id, {}),
            }
        )
        metadata["resolve"]["nodes"].append({"id": id, "deps": deps, "features": list(features.get(id, {}))})
        if member:
            metadata["workspace_members"].append(id)
    return Graph(metadata)


def deny(**bans):
    return {"bans": {"deny": [], "skip": [], **bans}, "licenses": {"allow": ["MIT"]}}


class Versions(unittest.TestCase):
    def test_order_is_that_of_semver(self):
        in_order = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.10.0"
        versions = [Version(text) for text in in_order.split()]
        self.assertEqual(versions, sorted(reversed(versions)))
        self.assertEqual(Version("1.0.0+a"), Version("1.0.0+b"))

    def test_requirements(self):
        table = [
            ("1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 2.0.0-rc.1"),
            ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"),
            ("0.0.3", "0.0.3", "0.0.4"),
            ("0.22", "0.22.0 0.22.1", "0.23.0 0.21.9"),
            ("0", "0.1.0 0.99.0", "1.0.0"),
            ("~1.2", "1.2.0 1.2.9", "1.3.0"),
            ("~1", "1.0.0 1.9.0", "2.0.0"),
            ("1.2.*", "1.2.0 1.2.9", "1.3.0"),
            ("1.*", "1.0.0 1.9.9", "2.0.0"),
            ("<1", "0.14.32 1.0.0-rc.4", "1.0.0"),
            ("<0.23", "0.22.4", "0.23.0 1.0.0"),
            (">1.2.3", "1.2.4 1.2.4-rc.1", "1.2.3"),
            (">1.2", "1.3.0", "1.2.9"),
            ("<=1.2", "1.2.9 1.1.0", "1.3.0"),
            ("<=1.2.3", "1.2.3", "1.2.4"),
            ("=1.2.3", "1.2.3", "1.2.4 1.2.2"),
            ("= 1.0.0-rc.1", "1.0.0-rc.1", "1.0.0 1.0.0-rc.2"),
            (">=1.2, <1.5", "1.2.0 1.4.9", "1.5.0 1.1.9"),
            ("*", "0.0.1 9.0.0", ""),
        ]
        for requirement, inside, outside in table:
            for version in inside.split():
                self.assertTrue(matches(requirement, Version(version)), f"{requirement} admits {version}")
            for version in outside.split():
                self.assertFalse(matches(requirement, Version(version)), f"{requirement} refuses {version}")

    def test_nonsense_is_an_error_and_never_a_pass(self):
        for requirement in ("one", "1.2.3.4", ">> 1", "1,,2"):
            with self.assertRaises(ValueError):
                matches(requirement, Version("1.0.0"))

    def test_families(self):
        pairs = [("1.2.3", "1"), ("0.9.1", "0.9"), ("0.0.4", "0.0.4"), ("12.0.0", "12")]
        for version, family in pairs:
            self.assertEqual(Version(version).family(), family)

    def test_specs(self):
        self.assertTrue(Spec("hyper:<1").covers("hyper", Version("0.14.1")))
        self.assertFalse(Spec("hyper:<1").covers("hyper", Version("1.0.0")))
        self.assertFalse(Spec("hyper:<1").covers("hyper-util", Version("0.1.0")))
        self.assertTrue(Spec("syn@2.0.1").covers("syn", Version("2.0.1")))
        self.assertFalse(Spec("syn@2.0.1").covers("syn", Version("2.0.2")))
        self.assertTrue(Spec("openssl-sys").covers("openssl-sys", Version("0.9.1")))


class Licences(unittest.TestCase):
    def test_expressions(self):
        allowed = {"MIT", "Apache-2.0", "Unicode-3.0"}
        table = [
            ("MIT", True),
            ("MPL-2.0", False),
            ("MIT OR GPL-3.0-only", True),
            ("MIT AND GPL-3.0-only", False),
            ("MIT/Apache-2.0", True),
            ("GPL-2.0 / MIT", True),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
            ("(MIT OR Apache-2.0) AND OpenSSL", False),
            ("GPL-3.0-only OR MIT AND Unicode-3.0", True),
            ("MPL-2.0 AND MIT OR GPL-3.0-only", False),
            ("Apache-2.0 WITH LLVM-exception", False),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", True),
        ]
        for expression, verdict in table:
            self.assertEqual(satisfiable(expression, allowed), verdict, expression)

    def test_what_cannot_be_read_is_an_error(self):
        for expression in ("", "(MIT", "MIT)", "MIT OR", "AND MIT", "MIT Apache-2.0", "MIT WITH"):
            with self.assertRaises(ValueError, msg=expression):
                satisfiable(expression, {"MIT", "Apache-2.0"})

    def test_a_crate_without_a_licence_is_wrong(self):
        crates = graph({"a@1.0.0": {}})
        crates.crates["a@1.0.0"].licence = None
        self.assertEqual(len(list(checks.licences(crates, deny()))), 1)


class Graphs(unittest.TestCase):
    def test_kinds_are_counted_apart(self):
        crates = graph(
            {
                "calsync-core@0.1.0": {"a@1.0.0": NORMAL, "b@1.0.0": BUILD, "c@1.0.0": DEV},
                "a@1.0.0": {"d@1.0.0": NORMAL},
                "b@1.0.0": {"d@1.0.0": NORMAL, "e@1.0.0": NORMAL},
                "c@1.0.0": {"f@1.0.0": BUILD},
                "d@1.0.0": {},
                "e@1.0.0": {},
                "f@1.0.0": {},
            }
        )
        self.assertEqual(checks.counts(crates), (2, 2, 2))

    def test_an_optional_crate_counts_only_once_a_feature_switches_it_on(self):
        packages = {"calsync-core@0.1.0": {"a@1.0.0": NORMAL}, "a@1.0.0": {"b@1.0.0": (NORMAL, "optional")}, "b@1.0.0": {}}
        for feature, live in [("dep:b", 2), ("b/fast", 2), ("b?/fast", 1), ("other", 1)]:
            crates = graph(packages, {"a@1.0.0": {"default": [feature]}})
            self.assertEqual(checks.counts(crates)[0], live, feature)


class Policy(unittest.TestCase):
    def test_sources(self):
        crates = graph({"calsync-core@0.1.0": {}, "a@1.0.0": {}, "b@1.0.0": {}, "c@1.0.0": {}})
        crates.crates["b@1.0.0"].source = "git+https://example.org/b"
        crates.crates["c@1.0.0"].source = None
        self.assertEqual([f.split(":")[0] for f in checks.sources(crates)], ["b 1.0.0", "c 1.0.0"])

    def test_a_banned_crate_is_found_in_tests_too(self):
        crates = graph({"calsync-core@0.1.0": {"a@1.0.0": DEV}, "a@1.0.0": {"hyper@0.14.1": NORMAL}, "hyper@0.14.1": {}})
        rules = deny(deny=[{"crate": "hyper:<1", "reason": "second stack"}, {"crate": "openssl-sys", "reason": "no"}])
        self.assertEqual(list(checks.banned(crates, rules)), ["hyper 0.14.1 is banned (second stack); needed by a"])

    def test_a_crate_for_tests_only_may_not_ship(self):
        for kind, wrong in [(DEV, 0), (NORMAL, 1), (BUILD, 1)]:
            crates = graph({"calsync-core@0.1.0": {"chrono@0.4.1": kind}, "chrono@0.4.1": {}})
            self.assertEqual(len(list(checks.banned(crates, deny()))), wrong, kind)

    def test_duplicates_need_an_entry_and_entries_a_duplicate(self):
        def found(kind, *skip):
            packages = {"calsync-core@0.1.0": {"a@1.0.0": NORMAL, "b@0.1.0": kind, "b@0.2.5": NORMAL}}
            crates = graph({**packages, "a@1.0.0": {}, "b@0.1.0": {}, "b@0.2.5": {}})
            return list(checks.unexplained_duplicates(crates, deny(skip=list(skip))))

        known = {"crate": "b:0.1", "reason": "a"}
        self.assertIn("b 0.1.0 stands beside b 0.2.5", found(NORMAL)[0])
        self.assertEqual(found(NORMAL, known), [])
        self.assertEqual(found(DEV), [], "versions for tests only are no duplicates")
        self.assertIn("no duplicate any more", found(DEV, known)[0])
        self.assertIn("no duplicate any more", found(NORMAL, known, {"crate": "b:0.2", "reason": "newest"})[0])
        self.assertIn("without a reason", found(NORMAL, {"crate": "b:0.1"})[0])


class Layers(unittest.TestCase):
    def findings(self, **needs):
        """Findings of a whole workspace of which only these members need anything."""
        packages = {f"{name}@0.1.0": {} for name in policy.LAYERS}
        for name in ("tokio", "sqlx-core", "axum", "uuid"):
            packages[f"{name}@1.0.0"] = {}
        packages["middle@1.0.0"] = {"tokio@1.0.0": NORMAL}
        for name, wanted in needs.items():
            packages[f"calsync-{name}@0.1.0"] = wanted
        return list(checks.layers(graph(packages)))

    def test_the_allowed_ways(self):
        core = {"calsync-core@0.1.0": NORMAL}
        testbed = {"calsync-testbed@0.1.0": DEV}
        self.assertEqual(
            self.findings(
                core={"uuid@1.0.0": NORMAL, "tokio@1.0.0": DEV},
                store={**core, **testbed, "sqlx-core@1.0.0": NORMAL, "tokio@1.0.0": NORMAL},
                engine={**core, "calsync-store@0.1.0": DEV},
                sim={**core, **testbed, "calsync-engine@0.1.0": DEV, "axum@1.0.0": NORMAL},
                server={
                    **{f"{name}@0.1.0": NORMAL for name in policy.LAYERS if name not in ("calsync-server", "calsync-fuzz")},
                    **testbed,
                },
                fuzz={**core, "calsync-server@0.1.0": NORMAL, "tokio@1.0.0": NORMAL},
            ),
            [],
        )

    def test_the_forbidden_ways(self):
        table = [
            ("core", {"calsync-store@0.1.0": DEV}),
            ("core", {"middle@1.0.0": NORMAL}),
            ("core", {"tokio@1.0.0": BUILD}),
            ("providers", {"calsync-store@0.1.0": NORMAL}),
            ("store", {"calsync-engine@0.1.0": DEV}),
            ("engine", {"calsync-store@0.1.0": NORMAL}),
            ("engine", {"sqlx-core@1.0.0": NORMAL}),
            ("sim", {"calsync-engine@0.1.0": NORMAL}),
            ("server", {"sqlx-core@1.0.0": NORMAL}),
            ("server", {"calsync-testbed@0.1.0": NORMAL}),
            ("store", {"calsync-testbed@0.1.0": NORMAL}),
            ("core", {"calsync-testbed@0.1.0": DEV}),
            ("engine", {"calsync-testbed@0.1.0": DEV}),
            ("providers", {"calsync-testbed@0.1.0": DEV}),
            ("testbed", {"calsync-core@0.1.0": NORMAL}),
            ("server", {"calsync-fuzz@0.1.0": NORMAL}),
            ("fuzz", {"calsync-testbed@0.1.0": NORMAL}),
            ("testbed", {"middle@1.0.0": NORMAL}),
        ]
        for name, needs in table:
            self.assertEqual(len(self.findings(**{name: needs})), 1, f"{name} {needs}")

    def test_the_way_is_told(self):
        found = self.findings(core={"middle@1.0.0": NORMAL})
        self.assertEqual(found, ["calsync-core may not reach tokio: calsync-core > middle > tokio"])

    def test_a_member_without_a_layer_and_a_layer_without_a_member(self):
        found = list(checks.layers(graph({"calsync-new@0.1.0": {}})))
        self.assertEqual(len([f for f in found if "has no layer" in f]), 1)
        self.assertEqual(len([f for f in found if "no such member" in f]), len(policy.LAYERS))


class Advisories(unittest.TestCase):
    TEXT = """```toml
[advisory]
id = "RUSTSEC-2099-0001"
package = "a"
date = "2099-01-01"
{extra}
[versions]
patched = [">= 1.2.3", "^1.0.9"]
unaffected = ["< 0.5"]
```

# A made-up advisory
"""

    def check(self, version, extra="", ignore=()):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "crates" / "a"
            home.mkdir(parents=True)
            (home / "RUSTSEC-2099-0001.md").write_text(self.TEXT.format(extra=extra), encoding="utf-8")
            return advisories.check(Path(folder), [("a", Version(version)), ("b", Version(version))], ignore)

    def test_versions_between_the_safe_ones_are_affected(self):
        for version, affected in [("0.4.9", 0), ("0.5.0", 1), ("1.0.8", 1), ("1.0.9", 0), ("1.2.3", 0), ("2.0.0", 0)]:
            self.assertEqual(len(self.check(version)[0]), affected, version)

    def test_what_is_merely_unmaintained_is_a_note(self):
        wrong, notes = self.check("1.0.0", 'informational = "unmaintained"')
        self.assertEqual((len(wrong), len(notes)), (0, 1))
        self.assertEqual(len(self.check("1.0.0", 'informational = "unsound"')[0]), 1)

    def test_a_withdrawn_one_is_none(self):
        self.assertEqual(self.check("1.0.0", 'withdrawn = "2099-02-02"'), ([], []))

    def test_an_ignored_one_is_a_note_until_it_affects_nothing(self):
        ignore = [{"id": "RUSTSEC-2099-0001", "reason": "not reached"}]
        self.assertEqual(len(self.check("1.0.0", ignore=ignore)[0]), 0)
        self.assertIn("affects nothing any more", self.check("2.0.0", ignore=ignore)[0][0])

    def test_a_file_without_front_matter_is_an_error(self):
        with self.assertRaises(ValueError):
            advisories.parse("# nothing")

    def test_a_lockfile_gives_the_crates_of_others(self):
        text = '[[package]]\nname = "a"\nversion = "1.0.0"\nsource = "x"\n[[package]]\nname = "ours"\nversion = "0.1.0"\n'
        self.assertEqual(advisories.locked(text), [("a", Version("1.0.0"))])
