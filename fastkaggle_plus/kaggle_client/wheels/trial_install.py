"""Test wheels before they are sent: install them without an index or network, and import them."""

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
from .resolve import PipOptions
from .wheel import Target, Wheel, walk, wheels_in

_IMPORT = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as e:
        missing = (getattr(e, "name", None) or "").split(".")[0]
        failed[name] = [type(e).__name__, str(e), missing]
sys.__stdout__.write("\\n" + json.dumps(failed))
"""
_TIMEOUT_S = 1800


def check_wheels(folder: Path, roots: Sequence[Requirement], options: PipOptions) -> str:
    """Check that `roots` can be installed from a folder, and return what was checked.

    Raises DatasetFailed if a library is missing, or does not install or import.
    """
    wheels = wheels_in(folder)
    for target in options.targets:
        _check_complete(roots, wheels, target, options)
    here = [t for t in options.targets if t.is_here]
    elsewhere = ", ".join(t.python for t in options.targets if not t.is_here)
    checked = []
    if here:
        usable = [w for w in wheels if w.fits(here[0])]
        not_imported = _install_and_import(folder, roots, usable, options)
        network = "no network" if _offline_command() else "no download"
        checked.append(
            f"installed and imported on Python {here[0].python}, with no index and {network}"
            + (f"; not imported: {not_imported}" if not_imported else "")
        )
    if elsewhere:
        checked.append(
            f"not installed for Python {elsewhere}, which differs from this Python or system; "
            "complete according to the wheels' metadata"
        )
    return "; ".join(checked)


def _check_complete(
    roots: Sequence[Requirement], wheels: Sequence[Wheel], target: Target, options: PipOptions
) -> None:
    without = options.without
    if not options.deps:
        needed = {canonicalize_name(r.name) for w in wheels for r in w.requires}
        without |= needed - {w.name for w in wheels}
    if missing := walk(roots, wheels, target, without)[1]:
        raise DatasetFailed(
            f"On Kaggle's Python {target.python} these libraries would be missing: "
            f"{', '.join(missing)}. Nothing was sent."
        )


def _install_and_import(
    folder: Path, roots: Sequence[Requirement], wheels: Sequence[Wheel], options: PipOptions
) -> str:
    """Return the modules that were not imported because a library was left out on purpose."""
    is_complete = options.deps and not options.without
    root_names = {canonicalize_name(r.name) for r in roots}
    wanted = [str(r).split(" @ ")[0] for r in roots]
    flags = ["-q", "--disable-pip-version-check", "--root-user-action", "ignore", "--no-index"]
    flags += ["--no-compile", "--only-binary=:all:", "--find-links", str(folder.absolute())]
    if not is_complete:
        flags.append("--no-deps")
        wanted += sorted({w.name for w in wheels} - root_names)
    with TemporaryDirectory(prefix="fkp-") as empty:
        venv.create(empty, with_pip=False, symlinks=True)
        python = str(Path(empty) / "bin" / "python")
        pip = [*options.pip, "--isolated", "--python", python]
        done = _run([*_offline_command(), *pip, "install", *flags, *wanted])
        if done.returncode:
            raise DatasetFailed(
                f"The wheels of {', '.join(map(str, roots))} do not install without an index. "
                f"Nothing was sent. Output of pip: {(done.stdout + done.stderr).strip()[-1500:]}"
            )
        infos = Path(empty).glob("lib/python*/site-packages/*.dist-info")
        names = {canonicalize_name(info.name.split("-")[0]) for info in infos}
        installed = [w for w in wheels if w.name in names]
        modules = {m for w in installed for m in w.modules if w.name in root_names}
        modules |= {m for w in installed for m in w.modules if m == w.name.replace("-", "_")}
        command = [*_offline_command(), python, "-I", "-c", _IMPORT, *sorted(modules)]
        done = _run(command, cwd=empty)
    try:
        failed: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise DatasetFailed(
            f"Importing {', '.join(sorted(modules))} ended Python (status {done.returncode}). "
            f"Nothing was sent. Output: {(done.stdout + done.stderr).strip()[-800:]}"
        ) from None
    available = {m for w in installed for m in w.modules}
    left_out, broken = [], []
    for module, (kind, text, missing) in failed.items():
        if not is_complete and kind == "ModuleNotFoundError" and missing not in available:
            left_out.append(f"{module} needs {missing}")
        else:
            broken.append(f"{module}: {kind}: {text}")
    if broken:
        raise DatasetFailed(
            f"In an empty environment, these do not import: {'; '.join(broken)}. Nothing was sent. "
            "If a library needs another one without declaring it, add that one to the list."
        )
    return ", ".join(left_out)


@functools.cache
def _offline_command() -> tuple[str, ...]:
    """Return the start of a command that runs without a network; () if the system forbids it."""
    command = (shutil.which("unshare") or "", "--map-root-user", "--net")
    return command if command[0] and _run([*command, "true"]).returncode == 0 else ()


def _run(command: Sequence[str], cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, cwd=cwd
    )
