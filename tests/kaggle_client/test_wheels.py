"""Datasets of wheels: made for Kaggle's Python, tested in an empty environment, sent if changed."""

from __future__ import annotations

import base64
import errno
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fastkaggle_plus.exceptions import DataError, DatasetFailed, KaggleUnavailable
from fastkaggle_plus.kaggle_client import (
    create_libs_datasets,
    create_requirements_dataset,
    get_dataset,
    get_local_ds_ver,
    get_pip_libraries,
    get_pip_library,
)
from fastkaggle_plus.kaggle_client.wheels import build, trial_install
from fastkaggle_plus.kaggle_client.wheels.wheel import wheels_in

from . import faults as f
from .test_datasets import content_of, versions

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHER = "3.12" if HERE != "3.12" else "3.11"
ABI = HERE.replace(".", "")


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    code: str = "",
    requires: tuple[str, ...] = (),
    tag: str = "py3-none-any",
    python: str = ">=3.9",
    module: str = "",
) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info, module = f"{name}-{version}.dist-info", module or name
    lines = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}",
        *(f"Requires-Dist: {r}" for r in requires),
        "",
    ]
    members = {
        f"{module}/__init__.py": code,
        f"{info}/METADATA": "\n".join(lines),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = ""
    for member, text in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        record += f"{member},sha256={digest.rstrip('=')},{len(text)}\n"
    with zipfile.ZipFile(path, "w") as z:
        for member, text in {**members, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            z.writestr(zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0)), text)
    return path


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """The only place pip can find anything."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def create(client, box, tmp_path):
    def creating(libs="alone", **more):
        return create_libs_datasets(
            libs,
            tmp_path / "libs",
            box.user,
            client=client,
            **{"poll_s": 0.05, "timeout_s": 20, "python_version": HERE, **more},
        )

    return creating


def names(paths) -> list[str]:
    return sorted(p.name for p in paths)


def test_wheels_are_for_kaggles_python_and_platform(index, tmp_path):
    make_wheel(index, "fast", "1.0", tag="cp312-cp312-manylinux_2_28_x86_64")
    make_wheel(index, "fast", "1.0", tag="cp311-cp311-manylinux2014_x86_64")
    make_wheel(index, "fast", "1.0", tag="cp312-cp312-macosx_11_0_arm64")
    make_wheel(
        index, "fast", "1.1", tag="cp312-cp312-manylinux_2_38_x86_64"
    )  # a C library newer than Kaggle's
    make_wheel(index, "fast", "1.2", tag="cp313-cp313-manylinux2014_x86_64")
    found = get_pip_library(tmp_path / "w", "fast")
    assert names(found) == [
        "fast-1.0-cp311-cp311-manylinux2014_x86_64.whl",
        "fast-1.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    ]
    only = get_pip_library(
        tmp_path / "arm", "fast", python_version="3.12", platforms=("macosx_11_0_arm64",)
    )
    assert names(only) == ["fast-1.0-cp312-cp312-macosx_11_0_arm64.whl"]
    by_path = get_pip_library(
        tmp_path / "path",
        str(index / "fast-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"),
        python_version="3.12",
    )
    assert names(by_path) == ["fast-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"]
    with pytest.raises(DatasetFailed, match=r"python_version = '3'"):
        get_pip_library(tmp_path / "w", "fast", python_version="3")


def test_markers_are_evaluated_for_kaggles_python(index, tmp_path):
    make_wheel(
        index,
        "base",
        "1.0",
        requires=(
            f'only_there; python_version == "{OTHER}"',
            'on_windows; sys_platform == "win32"',
            'more; extra == "all"',
        ),
    )
    make_wheel(index, "only_there", "2.0", requires=("deeper>=1",))
    make_wheel(index, "deeper", "1.5")
    make_wheel(index, "more", "1.0")
    assert names(get_pip_library(tmp_path / "other", "base", python_version=OTHER)) == [
        "base-1.0-py3-none-any.whl",
        "deeper-1.5-py3-none-any.whl",
        "only_there-2.0-py3-none-any.whl",
    ]
    assert names(get_pip_library(tmp_path / "all", "base[all]", python_version=HERE)) == [
        "base-1.0-py3-none-any.whl",
        "more-1.0-py3-none-any.whl",
    ]
    (index / "deeper-1.5-py3-none-any.whl").unlink()
    with pytest.raises(DatasetFailed, match="deeper"):
        get_pip_library(tmp_path / "gone", "base", python_version=OTHER)


def test_libraries_of_kaggles_image_can_be_left_out(index, tmp_path):
    make_wheel(index, "base", "1.0", requires=("huge", "small"))
    make_wheel(index, "huge", "1.0", requires=("larger",))
    make_wheel(index, "larger", "1.0")
    make_wheel(index, "small", "1.0")
    make_wheel(
        index, "base", "2.0", requires=("huge", "small>=7")
    )  # not available: pip takes the version before
    assert names(
        get_pip_library(tmp_path / "a", "base", without=["Huge"], python_version=OTHER)
    ) == ["base-1.0-py3-none-any.whl", "small-1.0-py3-none-any.whl"]
    assert names(get_pip_library(tmp_path / "b", "base<2", deps=False, python_version=OTHER)) == [
        "base-1.0-py3-none-any.whl"
    ]


def test_a_requirements_file(index, tmp_path):
    for name in ("one", "two", "three"):
        make_wheel(index, name, "1.0")
        make_wheel(index, name, "2.0")
    (tmp_path / "more.txt").write_text("three\n")
    (tmp_path / "limits.txt").write_text("three<2\n")
    (tmp_path / "req.txt").write_text(
        "# all of it\none==1.0  # the old one\ntwo>=1,\\\n  <3\n-r more.txt\n-c limits.txt\n"
    )
    assert names(get_pip_libraries(tmp_path / "w", tmp_path / "req.txt")) == [
        "one-1.0-py3-none-any.whl",
        "three-1.0-py3-none-any.whl",
        "two-2.0-py3-none-any.whl",
    ]
    with pytest.raises(DatasetFailed, match="no file"):
        get_pip_libraries(tmp_path / "w", tmp_path / "none.txt")


def test_pip_that_fails_or_is_missing(index, tmp_path):
    with pytest.raises(DatasetFailed, match=r"no wheels of nowhere.*Output of pip"):
        get_pip_library(tmp_path / "w", "nowhere")
    with pytest.raises(DatasetFailed, match="no-such-pip"):
        get_pip_library(tmp_path / "w", "nowhere", "no-such-pip")
    with pytest.raises(DatasetFailed, match="not a library"):
        get_pip_library(tmp_path / "w", "two words")


def test_versions_by_exact_name(tmp_path):
    folder = tmp_path / "library-a"
    assert get_local_ds_ver(tmp_path, "a") is None
    folder.mkdir()
    for file in (
        "ab-9.0-py3-none-any.whl",
        "a_b-8.0-py3-none-any.whl",
        "notes.txt",
        "bad-name.whl",
    ):
        (folder / file).touch()
    assert get_local_ds_ver(tmp_path, "a") is None, "`a` is not `ab`"
    (folder / "a-1.2rc1-py3-none-any.whl").touch()
    assert get_local_ds_ver(tmp_path, "a") == "1.2rc1"
    (folder / "a-1.2.post3-cp311-cp311-manylinux2014_x86_64.whl").touch()
    (folder / "a-1.2.post3-cp312-cp312-manylinux2014_x86_64.whl").touch()
    assert get_local_ds_ver(tmp_path, "a") == "1.2.post3"
    (tmp_path / "library-Scikit.Learn" / "dist").mkdir(parents=True)
    (tmp_path / "library-Scikit.Learn" / "dist" / "scikit_learn-1.10.tar.gz").touch()
    assert get_local_ds_ver(tmp_path, "Scikit.Learn") == "1.10"


OFFLINE = """
import importlib.util, socket
assert not any(map(importlib.util.find_spec, ("fastkaggle_plus", "pytest")))
try: socket.create_connection(("192.0.2.1", 80), timeout=1)     # an address that is not in use
except OSError as e: assert e.errno == {unreachable} or not {cut_off}, e
else: raise ValueError("online")
"""


def test_a_dataset_is_created_found_and_updated(create, index, plain, box, faults, tmp_path):
    # Its import sees neither this environment nor the network.
    cut_off = bool(trial_install._offline_command())
    code = OFFLINE.format(unreachable=errno.ENETUNREACH, cut_off=cut_off)
    make_wheel(index, "alone", "1.0", code=code, requires=("friend",))
    make_wheel(index, "friend", "1.0")
    handle = f"{box.user}/library-alone"
    [first] = create()
    assert (first.name, first.version_before, first.version, first.changed) == (
        "alone",
        "",
        "1.0",
        True,
    )
    assert (
        first.dataset.handle,
        first.dataset.version,
        first.dataset.is_private,
        first.dataset.status,
    ) == (handle, 1, True, "READY")
    assert f"installed and imported on Python {HERE}" in first.checked
    assert content_of(plain, handle) == {
        "alone-1.0-py3-none-any.whl",
        "friend-1.0-py3-none-any.whl",
        "SHA256SUMS.txt",
    }
    [same] = create(python_version=OTHER)  # the same wheels, without installing them again
    assert (same.changed, same.version_before, same.dataset.version) == (False, "1.0", 1) and len(
        versions(plain, handle)
    ) == 1
    make_wheel(index, "alone", "1.1.post1", requires=("friend",))
    [newer] = create(clear_after=True, python_version=OTHER)
    assert (newer.changed, newer.version_before, newer.version, newer.dataset.version) == (
        True,
        "1.0",
        "1.1.post1",
        2,
    )
    assert (
        versions(plain, handle)[1] == "1.1.post1"
        and not (tmp_path / "libs" / "library-alone").exists()
    )
    assert content_of(plain, handle) == {
        "alone-1.1.post1-py3-none-any.whl",
        "friend-1.0-py3-none-any.whl",
        "SHA256SUMS.txt",
    }
    make_wheel(index, "friend", "1.0", code="x = 1\n")  # same name, other bytes
    [rebuilt] = create(python_version=OTHER)
    assert rebuilt.changed and rebuilt.dataset.version == 3
    fetched = get_dataset(tmp_path / "copy", handle, client=plain)
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS.txt"],
        cwd=fetched,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.count("OK") == 2


@pytest.mark.parametrize(
    "code, requires, error",
    [
        ("import not_there_at_all", (), "do not import.*not_there_at_all"),
        ("import os; os._exit(3)", (), "ended Python"),
        ("", ("friend>=5",), "friend"),
    ],
)
def test_wheels_that_do_not_install_or_import_are_not_sent(
    create, index, faults, code, requires, error
):
    make_wheel(index, "alone", "1.0", code=code, requires=requires)
    make_wheel(index, "friend", "1.0")
    with pytest.raises(DatasetFailed, match=error):
        create()
    assert not faults.seen("StartBlobUpload")


def test_several_libraries_for_another_python(create, index, plain, box, tmp_path):
    folder = tmp_path / "libs" / "library-alone"
    folder.mkdir(parents=True)
    (folder / "alone-0.9-py3-none-any.whl").write_bytes(b"old")
    (folder / "README.md").write_text("mine")
    tag = f"cp{OTHER.replace('.', '')}-none-any"
    make_wheel(index, "alone", "1.0", code="raise ValueError", requires=("friend",), tag=tag)
    make_wheel(index, "friend", "1.0")
    make_wheel(index, "alone_b", "1.0")
    made, similar = create(["alone", "alone_b==1.0"], python_version=OTHER)
    assert made.changed and f"not installed for Python {OTHER}" in made.checked
    assert "imported on" not in made.checked, "only the metadata is checked"
    wheels = {f"alone-1.0-{tag}.whl", "friend-1.0-py3-none-any.whl", "SHA256SUMS.txt"}
    there = {p.name for p in folder.iterdir()}
    assert there == {*wheels, "README.md", "dataset-metadata.json"}, "other local files stay"
    handles = [f"{box.user}/library-alone", f"{box.user}/library-alone-b"]
    assert [m.dataset.handle for m in (made, similar)] == handles
    assert content_of(plain, handles[0]) == {*wheels, "README.md"}
    assert content_of(plain, handles[1]) == {"alone_b-1.0-py3-none-any.whl", "SHA256SUMS.txt"}


def test_left_out_libraries_are_named_and_do_not_fail(create, index, tmp_path):
    make_wheel(index, "alone", "1.0", code="import huge", requires=("huge", "friend"))
    make_wheel(index, "huge", "1.0")
    make_wheel(index, "friend", "1.0")
    [made] = create(without=["huge"])
    assert "not imported: alone needs huge" in made.checked
    assert {p.name for p in (tmp_path / "libs" / "library-alone").glob("*.whl")} == {
        "alone-1.0-py3-none-any.whl",
        "friend-1.0-py3-none-any.whl",
    }


def test_a_call_that_was_interrupted_resumes_and_makes_nothing_twice(
    create, index, faults, plain, box
):
    def die(handler, forward):
        forward()
        faults.on("Dataset", f.drop_before, times=999)
        handler.close_connection = True

    for n, step in ((1, "CreateDataset"), (2, "CreateDatasetVersion")):
        make_wheel(index, "alone", f"{n}.0")
        faults.on(step, die)
        with pytest.raises(KaggleUnavailable):
            create(timeout_s=0.5, python_version=OTHER)
        faults.rules.clear()
        [made] = create(python_version=OTHER)
        made_versions = len(versions(plain, f"{box.user}/library-alone"))
        assert not made.changed and made_versions == made.dataset.version == n


def test_a_dataset_of_requirements(client, plain, index, box, tmp_path):
    make_wheel(index, "one", "1.0", requires=("two",))
    make_wheel(index, "two", "1.0")
    (tmp_path / "req.txt").write_text("one\n")
    handle = f"{box.user}/all-i-need"

    def create(**more):
        return create_requirements_dataset(
            tmp_path / "req.txt",
            tmp_path / "libs",
            "All I need",
            box.user,
            client=client,
            poll_s=0.05,
            python_version=OTHER,
            **more,
        )

    made = create()
    assert made.changed and made.dataset.handle == handle and len(content_of(plain, handle)) == 3
    assert not create().changed
    folder = tmp_path / "libs" / "All I need"
    (folder / "how.md").write_text("To be kept.")
    make_wheel(index, "two", "1.1")
    assert (
        create(version_notes="two 1.1").dataset.version == 2
        and versions(plain, handle)[1] == "two 1.1"
    )
    shutil.rmtree(folder)
    make_wheel(index, "two", "1.2")
    assert create(retain=["dataset-metadata.json", "how.md"]).dataset.version == 3
    assert content_of(plain, handle) == {
        "one-1.0-py3-none-any.whl",
        "two-1.2-py3-none-any.whl",
        "SHA256SUMS.txt",
        "how.md",
    }
    with pytest.raises(DataError, match="6 to 50"):
        create_requirements_dataset(
            tmp_path / "req.txt", tmp_path, "short", box.user, client=client
        )


@pytest.mark.slow
def test_this_package_itself(create, plain, box, tmp_path):
    [made] = create("fastkaggle_plus", deps=False, python_version=OTHER)
    assert made.changed and made.dataset.handle == f"{box.user}/library-fastkaggle-plus"
    [wheel] = (tmp_path / "libs" / "library-fastkaggle_plus").glob("*.whl")
    with zipfile.ZipFile(wheel) as z:
        assert {
            "fastkaggle_plus/__init__.py",
            "fastkaggle_plus/kaggle_client/wheels/wheel.py",
        } <= set(z.namelist())
    [same] = create("fastkaggle_plus", deps=False, python_version=OTHER)
    assert not same.changed, "the same sources give the same wheel"


def test_this_package_alone_and_wheels_by_path_need_no_pip(tmp_path):
    options = {"pip_cmd": "no-such-pip", "deps": False}
    [built] = get_pip_library(tmp_path / "w", "fastkaggle_plus", **options)
    assert built.name.endswith("-py3-none-any.whl")
    assert get_pip_library(tmp_path / "w", str(built), **options) == [built]
    old = make_wheel(tmp_path / "old", "old", "1.0", python="<3.9")
    with pytest.raises(DatasetFailed, match="no-such-pip"):  # pip says why it does not fit
        get_pip_library(tmp_path / "w", str(old), **options)


def test_a_wheel_made_of_installed_files(tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "fastkaggle_plus" / "__pycache__").mkdir(parents=True)
    (site / "fastkaggle_plus-9.9.dist-info").mkdir()
    (site / "fastkaggle_plus" / "__init__.py").write_text("there = True\n")
    (site / "fastkaggle_plus" / "__pycache__" / "x.pyc").write_bytes(b"0")
    info = site / "fastkaggle_plus-9.9.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fastkaggle_plus\nVersion: 9.9\n")
    (info / "WHEEL").write_text(
        "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    listed = [
        "fastkaggle_plus/__init__.py",
        "fastkaggle_plus/__pycache__/x.pyc",
        f"{info.name}/METADATA",
        f"{info.name}/WHEEL",
        f"{info.name}/RECORD",
        "../../bin/fkp",
    ]
    (info / "RECORD").write_text("".join(f"{n},,\n" for n in listed))
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    wheel = build._from_installed(tmp_path)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-index",
            "--no-deps",
            "--target",
            str(tmp_path / "t"),
            str(wheel),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (
        tmp_path / "t" / "fastkaggle_plus" / "__init__.py"
    ).read_text() == "there = True\n" and wheels_in(tmp_path)[0].version.major == 9


@pytest.mark.slow
def test_a_library_of_the_real_index(create, plain, box):
    [made] = create("six", python_version=("3.11", "3.12"))
    assert made.changed and made.version and "installed and imported" in made.checked
    assert any(
        n.startswith("six-") and n.endswith(".whl")
        for n in content_of(plain, f"{box.user}/library-six")
    )
