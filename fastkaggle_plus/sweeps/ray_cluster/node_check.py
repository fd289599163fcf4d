"""Check that a node would give the driver's results: same code, same versions, same files."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import ray

from ... import __version__
from ...exceptions import ConfigError
from ..resume import environment_fingerprint, package_code

_SKIPPED = ("__pycache__", ".git", ".ipynb_checkpoints")


@dataclass(frozen=True)
class NodeFacts:
    """What must be the same on the driver and on each node: keys of runs depend on it."""

    version: str  # of this package
    code: str  # hash of this package's code
    environment: str  # versions of Python and of packages


@cache
def node_facts() -> NodeFacts:
    """Return the facts of this machine."""
    return NodeFacts(__version__, package_code(), environment_fingerprint())


@cache
def check_node(driver: NodeFacts) -> None:
    """Raise ConfigError, with what to install, if this node's results could differ."""
    here = node_facts()
    wanted, found = _versions(driver.environment), _versions(here.environment)
    if wrong := {name: v for name, v in wanted.items() if found.get(name) != v}:
        differences = [f"{name} {found.get(name, 'missing')}" for name in wrong]
        expected = [f"{name}=={version}" for name, version in wrong.items()]
        raise ConfigError(
            f"Node {node_name()} has other versions than the driver: got {', '.join(differences)}; "
            f"expected {', '.join(expected)}. Install these on every node: "
            f"pip install {' '.join(e for e in expected if not e.startswith('python=='))}"
        )
    if here.code != driver.code:
        raise ConfigError(
            f"The library's code on node {node_name()} differs from the driver's: got version "
            f"{here.version}, expected the files of the driver's version {driver.version}. Install "
            "the same wheel on every node as on the driver."
        )


def node_name() -> str:
    """Return the address of this node."""
    return str(ray.util.get_node_ip_address())


def files_of(
    folder: Path,
    without: Path,  # a folder to leave out: the vault, if it is inside
) -> Iterator[Path]:
    """Yield the files of a folder, in the order of their names."""
    for file in sorted(folder.rglob("*")):
        is_skipped = without in file.parents or not set(file.parts).isdisjoint(_SKIPPED)
        if file.is_file() and not is_skipped:
            yield file


def listing(folders: tuple[Path, ...], without: Path) -> str:
    """Return a hash of the names, sizes and times of all files, to see if a disk is shared."""
    digest = hashlib.sha256()
    for file in (f for folder in folders for f in files_of(folder, without)):
        facts = file.stat()
        digest.update(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _versions(environment: str) -> dict[str, str]:
    """Return the version of each package in an `environment_fingerprint`."""
    _, version, machine, *packages = environment.split()
    names = dict(zip(packages[::2], packages[1::2], strict=True))
    return {"python": version, "machine": machine, **names}
