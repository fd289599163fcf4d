"""A wheel of this very package: from its source tree, or from the installed files where there is none."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from ... import environment
from ...exceptions import DatasetFailed
from ...secrets import refuse_secrets

NAME = "fastkaggle_plus"
_PARTS = (NAME, "competitions", "setup.cfg", "pyproject.toml", "README.md")
_EPOCH_S = 315_532_800  # 1980: the same sources give the same bytes, so that nothing looks changed
_NOT_PACKED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def build_own_wheel(
    folder: Path,  # where the wheel goes
    *,
    pip: Sequence[str],  # the command
) -> Path:
    "Build a wheel of fastkaggle_plus and return its path."
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).resolve().parents[3]
    wheel = (
        _from_source(source, folder, pip)
        if (source / "setup.cfg").is_file()
        and f"name = {NAME}" in (source / "setup.cfg").read_text()
        else _from_installed(folder)
    )
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if name.endswith((".py", ".toml", ".md", ".csv", ".jinja")):
                refuse_secrets(
                    z.read(name).decode("utf-8", errors="replace"),
                    f"The file {name} of {wheel.name}",
                )
    return wheel


def _from_source(source: Path, folder: Path, pip: Sequence[str]) -> Path:
    with TemporaryDirectory(prefix="fkp-") as work:
        copy, out = Path(work) / "source", Path(work) / "out"
        copy.mkdir()
        for part in _PARTS:  # a copy: a build leaves folders beside the sources
            if (source / part).is_dir():
                shutil.copytree(
                    source / part,
                    copy / part,
                    ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
                )
            elif (source / part).is_file():
                shutil.copy2(source / part, copy / part)
        command = [
            *pip,
            "wheel",
            "-q",
            "--disable-pip-version-check",
            "--no-deps",
            "--wheel-dir",
            str(out),
            str(copy),
        ]
        # With what is installed here it also works offline.
        for isolation in (["--no-build-isolation"], []):
            done = subprocess.run(
                [*command, *isolation],
                capture_output=True,
                text=True,
                check=False,
                env=environment.with_variables(SOURCE_DATE_EPOCH=str(_EPOCH_S)),
            )
            if done.returncode == 0:
                [wheel] = out.glob("*.whl")
                return Path(shutil.copy2(wheel, folder / wheel.name))
    raise DatasetFailed(
        f"The wheel of {NAME} could not be built out of {source}. pip said: {(done.stdout + done.stderr).strip()[-1500:]}"
    )


def _from_installed(folder: Path) -> Path:
    installed = metadata.distribution(NAME)
    files = [
        f
        for f in installed.files or []
        if ".." not in f.parts and "__pycache__" not in f.parts and f.name not in _NOT_PACKED
    ]
    if not any(f.parts[0] == NAME for f in files):
        raise DatasetFailed(
            f"{NAME} is neither here as sources nor installed with its files, so no wheel can be made of it. Install it with pip."
        )
    path = folder / f"{NAME}-{installed.version}-py3-none-any.whl"
    record, info = (
        io.StringIO(),
        next(f.parts[0] for f in files if f.parts[0].endswith(".dist-info")),
    )
    lines = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for file in sorted(files, key=str):
            data = Path(str(file.locate())).read_bytes()
            z.writestr(_member(file.as_posix()), data)
            lines.writerow(
                [
                    file.as_posix(),
                    f"sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')}",
                    len(data),
                ]
            )
        lines.writerow([f"{info}/RECORD", "", ""])
        z.writestr(_member(f"{info}/RECORD"), record.getvalue())
    return path


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return member
