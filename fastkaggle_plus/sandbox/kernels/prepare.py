"""Prepare a kernel's run: its folder, command, environment, inputs, and hidden folders."""

import json
import os
import pwd
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...competition import builtin_folder
from ...environment import card_variables, harmless_variables
from .gateway import Gateway
from .isolation import launch_command
from .job import KernelJob
from .run_inputs import RunInputs

_HERE = Path(__file__).resolve().parent
# Name look-ups of other programs would leave a kernel through sockets in these folders.
_NAME_SERVICES = [Path("/run") / name for name in ("systemd", "nscd", "dbus", "avahi-daemon")]
# Files of a kernel's lib/, which is on its Python path, and where they are copied from.
_LIB_FILES = {
    "kernel_main.py": "notebook_runner.py",
    "kaggle_secrets.py": "kaggle_secrets.py",
    "sitecustomize.py": "network_guard.py",
}


def prepare_run(
    job: KernelJob,
    at: Path,  # the run's folder; it is made new
    *,
    isolated: frozenset[str],  # files | network
    inputs: RunInputs,
    gateway: Gateway,
    secrets: Mapping[str, str],
    hidden: Sequence[Path],  # folders that the kernel must not see
    marker: str,  # the name of its container
) -> list[str]:
    """Write the run's folder and return the command that runs it."""
    has_own_files = "files" in isolated
    shutil.rmtree(at, ignore_errors=True)
    for name in ("lib", "src", "home"):
        (at / name).mkdir(parents=True)
    for name, source in _LIB_FILES.items():
        shutil.copyfile(_HERE / source, at / "lib" / name)
    gateway.write(at)
    (at / "lib" / "secrets.json").write_text(json.dumps(dict(secrets)), encoding="utf-8")
    root = Path("/kaggle") if has_own_files else at.resolve()  # as the kernel sees it
    private = [p.resolve() for p in (*hidden, *_homes(), *_NAME_SERVICES)]
    launch = {
        "command": _write_code(job, at, root),
        "cwd": str(root / "working"),
        "env": _environment(job, root, has_own_files=has_own_files, marker=marker)
        | gateway.variables(root / "lib"),
        "inputs": inputs.prepare(job.inputs),
        "hidden": [str(p) for p in private],
        "visible": _python_folders(private),
    }
    return launch_command(at, launch, isolated)


def _write_code(job: KernelJob, at: Path, root: Path) -> list[str]:
    """Write the kernel's code and return the command that runs it."""
    name = "notebook.ipynb" if job.kernel_type == "notebook" else "script.py"
    (at / "src" / name).write_text(job.code, encoding="utf-8")
    code = str(root / "src" / name)
    if job.kernel_type == "notebook":
        runner = str(root / "lib" / "kernel_main.py")
        return [sys.executable, runner, code, str(root / "working")]
    return [sys.executable, "-u", code]


def _homes() -> list[Path]:
    """Return the user's home folders: $HOME can differ from the account's home."""
    homes = (Path.home(), Path(pwd.getpwuid(os.getuid()).pw_dir))
    return [p for p in homes if p != Path("/")]


def _python_folders(private: list[Path]) -> list[str]:
    """Return the folders of Python and of this package, which must stay visible.

    They can be inside a private folder, such as a checkout in the user's home. A folder that
    contains a private one is left out.
    """
    package, competitions = Path(__file__).parents[2], builtin_folder()
    paths = (sys.prefix, sys.base_prefix, *sys.path, str(package), str(competitions))
    folders = [Path(p).resolve() for p in paths if os.path.isabs(p) and os.path.isdir(p)]
    return [
        str(p)
        for p in dict.fromkeys(folders)
        if p != Path("/tmp") and not any(h.is_relative_to(p) for h in private)
    ]


def _environment(job: KernelJob, root: Path, *, has_own_files: bool, marker: str) -> dict[str, str]:
    env = harmless_variables()
    temp = "/tmp" if has_own_files else str(root / "tmp")
    env |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)]),
        "HOME": str(root / "home"),
        **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), temp),
        "PYTHONPATH": str(root / "lib"),
        "PYTHONUNBUFFERED": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_RETRIES": "1",  # there is no internet; with 0 pip does not say why it fails
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        "KAGGLE_CACHE_MOUNT_FOLDER": str(root / "input"),
        "KAGGLE_CONTAINER_NAME": marker,
    }
    if not has_own_files:  # pip must not install into the sandbox's environment
        env["PIP_TARGET"] = str(root / "lib")
    if not job.accelerator:
        env["CUDA_VISIBLE_DEVICES"] = ""
    if job.n_cards:
        env |= card_variables(job.n_cards)
    if job.is_rerun:
        env["KAGGLE_IS_COMPETITION_RERUN"] = "1"
    return env
