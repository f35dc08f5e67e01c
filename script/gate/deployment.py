"""What deploy/ says must be what the program knows: settings, version, toolchain, crates, the
layer of dependencies; and manifests that Kubernetes takes.

    python script/gate/deployment.py 1.29 1.37      the versions of Kubernetes that the manifests are judged by

Needs PyYAML and kubernetes-validate (script/deployment brings them). It changes nothing.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = DEPLOY / "kubernetes"
# Resources of the Prometheus operator: Kubernetes has no schema of them.
FOREIGN = {"ServiceMonitor"}
# Files for kustomize and for Helm, which are no resources.
NOT_RESOURCES = {"kustomization.yaml", "name-reference.yaml", "prometheus-adapter.yaml"}


def texts():
    """Every text file of deploy/, by its path."""
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file() and "secrets" not in path.parts and "certificates" not in path.parts:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def settings():
    """A setting in a file of ours is one that the program has."""
    known = set(re.findall(r"`(CALENDAR_SYNC__\w+)`", (ROOT / "docs/configuration.md").read_text(encoding="utf-8")))
    for path, text in texts():
        for name in set(re.findall(r"\bCALENDAR_SYNC__\w+", text)) - known:
            yield f"{path}: there is no setting {name}"


def versions():
    """The image is named by the version that is built, with the toolchain that the workspace is built with."""
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    version = cargo["workspace"]["package"]["version"]
    for path, text in texts():
        for found in re.findall(r"\bcalendar-sync:(\d+\.[\w.]*)", text):
            if found != version:
                yield f"{path}: version {found} is not {version}"
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text(encoding="utf-8"))["toolchain"]["channel"]
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text(encoding="utf-8")
    if f"ARG RUST={channel}\n" not in dockerfile:
        yield f"deploy/docker/Dockerfile: Rust is not {channel}"
    for manifest in sorted(ROOT.glob("crates/*/Cargo.toml")):
        name = manifest.parent.name
        if f"COPY crates/{name}/Cargo.toml crates/{name}/\n" not in dockerfile:
            yield f"deploy/docker/Dockerfile: the manifest of {name} is not copied"


def layer():
    """What we depend on can be built in the image by the manifests alone: each is one that cargo reads without the sources."""
    lines = (DEPLOY / "docker/Dockerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("WORKDIR /build"))
    with tempfile.TemporaryDirectory() as folder:
        for line in lines[begin + 1 :]:
            word, _, rest = line.partition(" ")
            if word == "COPY":
                *sources, target = rest.split()
                (Path(folder) / target).mkdir(parents=True, exist_ok=True)
                for source in sources:
                    shutil.copy(ROOT / source, Path(folder) / target)
            elif word == "RUN":
                stand_ins, found, _ = rest.partition("&& cargo build")
                if not found:
                    yield "deploy/docker/Dockerfile: the first RUN does not build what we depend on"
                # It reads every manifest as a build does. (`cargo metadata` forgives a target without its file.)
                read = f"{stand_ins} && cargo fetch --locked --target $(rustc -vV | sed -n 's/^host: //p')"
                ran = subprocess.run(["sh", "-c", read], cwd=folder, capture_output=True, text=True, check=False)
                if ran.returncode != 0:
                    yield f"deploy/docker/Dockerfile: the layer of dependencies can't be built: {ran.stderr.strip()}"
                return


def manifests(kubernetes):
    """Each resource is named by its kustomization, and is one that Kubernetes takes to the letter."""
    for folder in ("base", "monitoring"):
        listed = set(yaml.safe_load((MANIFESTS / folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"])
        present = {path.name for path in (MANIFESTS / folder).glob("*.yaml")} - NOT_RESOURCES
        for name in sorted(listed ^ present):
            yield f"deploy/kubernetes/{folder}: {name} is not both listed and there"
        for name in sorted(listed & present):
            for resource in yaml.safe_load_all((MANIFESTS / folder / name).read_text(encoding="utf-8")):
                if resource["kind"] not in FOREIGN:
                    yield from judged(resource, kubernetes, f"deploy/kubernetes/{folder}/{name}")


def judged(resource, kubernetes, place):
    """What the schemas say of one resource."""
    for version in kubernetes:
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{place}: {resource['kind']} for {version}: {error.message}"


def main():
    checks = {"settings": settings(), "versions": versions(), "layer": layer(), "kubernetes": manifests(sys.argv[1:])}
    wrong = False
    for name, found in checks.items():
        found = sorted(set(found))
        wrong = wrong or bool(found)
        print(f"  {name:<11} {'as it should be' if not found else f'{len(found)} wrong'}")
        for sentence in found:
            print(f"    WRONG  {sentence}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
