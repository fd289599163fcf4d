"""setup_comp inside a Kaggle notebook: finds the mounted data, raises if pip fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastkaggle_plus import environment
from fastkaggle_plus.exceptions import KaggleError, NotFound
from fastkaggle_plus.kaggle_client import setup_comp


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "iskaggle", "Interactive")
    monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(tmp_path / "input"))
    (tmp_path / "working").mkdir()
    (tmp_path / "input").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    return tmp_path / "input"


@pytest.mark.parametrize("layout", ["competitions/toy", "toy", "by-owner/someone/toy"])
def test_finds_every_layout(kaggle, layout):
    (kaggle / layout).mkdir(parents=True)
    assert setup_comp("toy").resolve() == kaggle / layout


def test_finds_the_folder_next_to_the_working_one(kaggle, monkeypatch):
    (kaggle / "toy").mkdir()
    monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", "/nowhere")
    assert setup_comp("toy") == Path("../input/toy")


def test_the_new_layout_wins(kaggle):
    for layout in ("toy", "competitions/toy"):
        (kaggle / layout).mkdir(parents=True)
    assert setup_comp("toy") == kaggle / "competitions" / "toy"


def test_names_what_is_attached_instead(kaggle):
    (kaggle / "competitions" / "titanic").mkdir(parents=True)
    (kaggle / "wheels").mkdir()
    with pytest.raises(NotFound, match=r"Attached: competitions/titanic, wheels\. Use Add Input"):
        setup_comp("toy")


@pytest.mark.parametrize("place", ["datasets/bob/toy", "notebooks/bob/toy", "models/bob/toy"])
def test_a_dataset_of_the_same_name_is_not_the_competition(kaggle, place):
    (kaggle / place).mkdir(parents=True)
    with pytest.raises(NotFound, match="not attached"):
        setup_comp("toy")


def test_a_list_of_packages_that_does_not_read(kaggle):
    (kaggle / "toy").mkdir()
    with pytest.raises(KaggleError, match="does not read as a list of packages"):
        setup_comp("toy", "fastai 'timm")


def test_a_failure_of_pip_is_raised(kaggle, tmp_path):
    (kaggle / "toy").mkdir()
    assert setup_comp("toy", "--no-index 'pytest>=1'").name == "toy", (
        "what is installed already needs no network"
    )
    with pytest.raises(KaggleError, match=r"(?s)internet on.*no-such-package-here"):
        setup_comp("toy", install=f"--no-index --find-links {tmp_path} no-such-package-here")
