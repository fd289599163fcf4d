"""Are these wheels enough? Installed into an empty environment, with no index and no network, and imported."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ...exceptions import DatasetFailed
from .wheel import Target, Wheel, walk, wheels_in

_IMPORT = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try: importlib.import_module(name)
    except BaseException as e: failed[name] = [type(e).__name__, str(e), (getattr(e, "name", None) or "").split(".")[0]]
sys.__stdout__.write("\\n" + json.dumps(failed))
"""
_LONGEST_S = 1800


def check_wheels(
    folder: Path,
    roots: Sequence[Requirement],  # what is to be installed from it
    *,
    targets: Sequence[Target],
    pip: Sequence[str],
    deps: bool = True,  # what they need is to be there too
    without: frozenset[str] = frozenset(),  # but for these, by canonical name
) -> str:
    "Return in words what was checked; raise DatasetFailed if a library cannot be installed or imported."
    wheels = wheels_in(folder)
    for target in targets:
        names = (
            without
            if deps
            else without
            | {canonicalize_name(r.name) for w in wheels for r in w.requires}
            - {w.name for w in wheels}
        )
        if missing := walk(roots, wheels, target, names)[1]:
            raise DatasetFailed(
                f"On Kaggle's Python {target.python} these would be missing: {', '.join(missing)}. Nothing was sent."
            )
    here = [t for t in targets if t.is_here]
    elsewhere = ", ".join(t.python for t in targets if not t.is_here)
    said = []
    if here:
        skipped = _install_and_import(
            folder,
            roots,
            [w for w in wheels if w.fits(here[0])],
            pip,
            is_complete=deps and not without,
        )
        said.append(
            f"installed and imported on Python {here[0].python}, with no index and {'no network' if _cut_off() else 'no download'}"
            + (f"; not imported: {skipped}" if skipped else "")
        )
    if elsewhere:
        said.append(
            f"not installed for Python {elsewhere}, as this is another Python or system; complete by the wheels' own metadata"
        )
    return "; ".join(said)


def _install_and_import(
    folder: Path,
    roots: Sequence[Requirement],
    wheels: Sequence[Wheel],
    pip: Sequence[str],
    *,
    is_complete: bool,
) -> str:
    with TemporaryDirectory(prefix="fkp-") as empty:
        venv.create(empty, with_pip=False, symlinks=True)
        python = str(Path(empty) / "bin" / "python")
        base = [*_cut_off(), *pip, "--isolated", "--python", python]
        asked = {canonicalize_name(r.name) for r in roots}
        wanted = [str(r).split(" @ ")[0] for r in roots] + (
            [] if is_complete else sorted({w.name for w in wheels} - asked)
        )
        done = _run(
            [
                *base,
                "install",
                "-q",
                "--disable-pip-version-check",
                "--root-user-action",
                "ignore",
                "--no-index",
                "--only-binary=:all:",
                "--find-links",
                str(folder.absolute()),
                *([] if is_complete else ["--no-deps"]),
                *wanted,
            ]
        )
        if done.returncode:
            raise DatasetFailed(
                f"The wheels of {', '.join(map(str, roots))} do not install without an index. Nothing was sent. "
                f"pip said: {(done.stdout + done.stderr).strip()[-1500:]}"
            )
        there = {
            p.name.split("-")[0] for p in Path(empty).glob("lib/python*/site-packages/*.dist-info")
        }
        installed = [w for w in wheels if w.name in {canonicalize_name(n) for n in there}]
        modules = sorted(
            {
                m
                for w in installed
                for m in w.modules
                if w.name in asked or m == w.name.replace("-", "_")
            }
        )
        done = _run([*_cut_off(), python, "-I", "-c", _IMPORT, *modules], cwd=empty)
    try:
        failed: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise DatasetFailed(
            f"Importing {', '.join(modules)} ended Python (status {done.returncode}). Nothing was sent. "
            f"It said: {(done.stdout + done.stderr).strip()[-800:]}"
        ) from None
    ours = {m for w in installed for m in w.modules}
    left_out = {
        m: f"{m} needs {missing}"
        for m, (kind, _, missing) in failed.items()
        if not is_complete and kind == "ModuleNotFoundError" and missing not in ours
    }
    if broken := [
        f"{m}: {kind}: {text}" for m, (kind, text, _) in failed.items() if m not in left_out
    ]:
        raise DatasetFailed(
            f"Installed into an empty environment, these do not import: {'; '.join(broken)}. Nothing was sent. "
            "A library it needs without saying so is added to the list of libraries."
        )
    return ", ".join(left_out.values())


@functools.cache
def _cut_off() -> tuple[str, ...]:
    "Return what starts a command without a network, () where the system does not allow it."
    command = (shutil.which("unshare") or "", "--map-root-user", "--net")
    return command if command[0] and _run([*command, "true"]).returncode == 0 else ()


def _run(command: Sequence[str], cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_LONGEST_S, cwd=cwd
    )
