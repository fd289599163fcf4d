"""A wheel built from the checkout works elsewhere: competitions, stubs, report, command line."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fastkaggle_plus.kaggle_client.wheels.build import build_own_wheel

ROOT = Path(__file__).resolve().parent.parent
PIP = (sys.executable, "-m", "pip", "--quiet")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_own_wheel(tmp_path_factory.mktemp("wheel"), pip=PIP)


def files(folder: Path) -> set[str]:
    return {
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".pyc"
    }


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_library_and_the_competitions(wheel):
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    library = {f"fastkaggle_plus/{n}" for n in files(ROOT / "fastkaggle_plus")}
    competitions = {f"fastkaggle_plus/competitions/{n}" for n in files(ROOT / "competitions")}
    assert packed == library | competitions
    assert {"fastkaggle_plus/__init__.pyi", "fastkaggle_plus/modeling/__init__.pyi"} <= packed


@pytest.mark.slow
def test_the_wheel_requires_six_which_kaggle_imports_without_requiring_it(wheel):
    archive = zipfile.ZipFile(wheel)
    [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
    lines = archive.read(name).decode().splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist") and "extra" not in line]
    assert "Requires-Dist: six" in required
    assert any(line.startswith("Requires-Dist: kaggle>=") for line in required)


@pytest.mark.slow
def test_installed_elsewhere_it_lists_starts_and_runs_competitions(wheel, tmp_path):
    installed = tmp_path / "installed"
    options = ("--no-deps", "--no-compile", "--target", str(installed))
    subprocess.run([*PIP, "install", *options, str(wheel)], check=True)

    def python(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fkp_json(*arguments):
        return json.loads(python("-m", "fastkaggle_plus", *arguments, "--json").splitlines()[-1])

    code = "from fastkaggle_plus import *; import fastkaggle_plus; print(fastkaggle_plus.__file__)"
    assert str(installed) in python("-c", code)
    listed = json.loads(python("-m", "fastkaggle_plus", "list", "--json"))
    slugs = {"titanic", "paddy-disease-classification", "us-patent-phrase-to-phrase-matching"}
    assert {c["slug"] for c in listed} >= slugs
    assert all(str(installed) in c["folder"] for c in listed)
    swept = fkp_json("sweep", "titanic", "--trials", "tree, 4 leaves")
    assert swept["failed"] == {} and swept["trials"][0]["oof_score"] > 0.8
    python("-m", "fastkaggle_plus", "new", "mine")
    outcome = fkp_json("run", "mine", "--workers", "0")
    assert outcome["failed"] == {} and outcome["private_score"] is not None
    report = tmp_path / outcome["report"]
    assert report.name == "report.html" and report.exists()
