"""A wheel built from the tree works outside the checkout, its competitions, report template and command line included."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TREE = ("fastkaggle_plus", "competitions", "setup.cfg", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "Build from a copy of what is in the tree, so that nothing is left in it."
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in TREE:
        subprocess.run(["cp", "-r", str(ROOT / name), str(source)], check=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(out),
            str(source),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    [file] = out.glob("*.whl")
    return file


def files(folder: Path) -> set[str]:
    kept = (
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    )
    return {name for name in kept if not name.endswith(".pyc")}


@pytest.mark.slow
def test_it_holds_every_file_of_the_library_and_the_competitions(wheel):
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    library, competitions = files(ROOT / "fastkaggle_plus"), files(ROOT / "competitions")
    assert packed == {f"fastkaggle_plus/{n}" for n in library} | {
        f"fastkaggle_plus/competitions/{n}" for n in competitions
    }


@pytest.mark.slow
def test_it_declares_what_kaggle_imports_without_declaring_it(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(
        next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    ).decode()
    needed = {
        line.removeprefix("Requires-Dist: ")
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist") and "extra" not in line
    }
    assert "six" in needed and any(one.startswith("kaggle>=") for one in needed)


@pytest.mark.slow
def test_installed_elsewhere_it_lists_and_runs(wheel, tmp_path):
    installed = tmp_path / "installed"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(installed),
            str(wheel),
        ],
        check=True,
    )

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert str(installed) in run("-c", "import fastkaggle_plus; print(fastkaggle_plus.__file__)")
    listed = json.loads(run("-m", "fastkaggle_plus", "list", "--json"))
    assert {c["slug"] for c in listed} >= {
        "titanic",
        "paddy-disease-classification",
        "us-patent-phrase-to-phrase-matching",
    }
    assert all(str(installed) in c["folder"] for c in listed)
    outcome = json.loads(run("-m", "fastkaggle_plus", "run", "titanic", "--json").splitlines()[-1])
    assert (
        outcome["failed"] == {}
        and outcome["ensemble"]["nested_score"] > 0.8
        and outcome["private_score"] > 0.8
    )
    assert Path(outcome["report"]).name == "report.html" and (tmp_path / outcome["report"]).exists()
