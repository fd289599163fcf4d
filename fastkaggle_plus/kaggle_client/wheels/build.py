"""Build a wheel of this package: from its sources, or from the installed files without them."""

import base64
import csv
import hashlib
import io
import shutil
import subprocess
import sys
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
_EPOCH_S = 315_532_800  # 1980: the same sources give the same bytes, so nothing seems changed
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
_NOT_PACKED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
_TEXT_FILES = (".py", ".toml", ".md", ".csv", ".jinja")


def build_own_wheel(
    folder: Path,  # where the wheel goes
    *,
    pip: Sequence[str],  # the command
) -> Path:
    """Build a wheel of fastkaggle_plus and return its path. Raises DatasetFailed, SecretFound."""
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).resolve().parents[3]
    setup = source / "setup.cfg"
    if setup.is_file() and f"name = {NAME}" in setup.read_text():
        wheel = _from_source(source, folder, pip)
    else:
        wheel = _from_installed(folder)
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if name.endswith(_TEXT_FILES):
                text = z.read(name).decode("utf-8", errors="replace")
                refuse_secrets(text, f"The file {name} of {wheel.name}")
    return wheel


def _from_source(source: Path, folder: Path, pip: Sequence[str]) -> Path:
    with TemporaryDirectory(prefix="fkp-") as work:
        copy, out = Path(work) / "source", Path(work) / "out"
        copy.mkdir()
        ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        for part in _PARTS:  # a copy, because a build leaves folders in the sources
            if (source / part).is_dir():
                shutil.copytree(source / part, copy / part, ignore=ignore)
            elif (source / part).is_file():
                shutil.copy2(source / part, copy / part)
        out.mkdir()
        pip_wheel = [*pip, "wheel", "-q", "--disable-pip-version-check", "--no-deps"]
        attempts = (
            [sys.executable, "-c", _BUILD, str(out)],  # faster than pip, and works offline
            [*pip_wheel, "--wheel-dir", str(out), str(copy)],  # downloads setuptools
        )
        variables = environment.with_variables(SOURCE_DATE_EPOCH=str(_EPOCH_S))
        for command in attempts:
            done = subprocess.run(
                command, cwd=copy, capture_output=True, text=True, check=False, env=variables
            )
            if done.returncode == 0:
                [wheel] = out.glob("*.whl")
                return Path(shutil.copy2(wheel, folder / wheel.name))
    raise DatasetFailed(
        f"The wheel of {NAME} could not be built from {source}. Output of pip: "
        f"{(done.stdout + done.stderr).strip()[-1500:]}"
    )


def _from_installed(folder: Path) -> Path:
    installed = metadata.distribution(NAME)
    files = {
        f.as_posix(): Path(str(f.locate()))
        for f in installed.files or []
        if not {"..", "__pycache__"} & set(f.parts) and f.name not in _NOT_PACKED
    }
    if not any(name.startswith(f"{NAME}/") for name in files):
        raise DatasetFailed(
            f"Cannot make a wheel of {NAME}: neither its sources nor its installed files were "
            "found. Install it with pip."
        )
    path = folder / f"{NAME}-{installed.version}-py3-none-any.whl"
    info = next(top for name in files if (top := name.split("/")[0]).endswith(".dist-info"))
    record = io.StringIO()
    lines = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, file in sorted(files.items()):
            data = file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            lines.writerow([name, f"sha256={digest}", len(data)])
            z.writestr(_member(name), data)
        lines.writerow([f"{info}/RECORD", "", ""])
        z.writestr(_member(f"{info}/RECORD"), record.getvalue())
    return path


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return member
