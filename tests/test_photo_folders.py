"""What a new user with photos in class folders reads: no copies counted, every oddity named."""

import shutil

import numpy as np
import pytest
from PIL import Image

from fastkaggle_plus import load_comp, make_folds
from fastkaggle_plus.competition import builtin_folder, read_competition
from fastkaggle_plus.exceptions import ConfigError, DataError, FastkaggleError, UnknownName
from fastkaggle_plus.reading.image_files import images_below
from fastkaggle_plus.reading.infer_files import describe_class_folders
from fastkaggle_plus.reporting.summary import next_steps
from fastkaggle_plus.sweeps.default_trials import default_trials
from fastkaggle_plus.workflow.new_competition import new_comp

from .workflow.toy import fkp


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(24):
        file = tmp_path / "photos" / ("cat", "dog")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (8, 8, 3)) // (1 + i % 2)
        Image.fromarray(pixels.astype("uint8")).save(file)
    return tmp_path / "photos"


def test_outputs_of_earlier_runs_are_no_classes(photos):
    for name in ("competitions/a/competition.toml", "runs/a/run.lock"):
        mark = photos / name
        shutil.copytree(photos / "cat", mark.parent / "files" / "bird")
        mark.touch()
    assert len(images_below(photos)) == 24
    assert describe_class_folders(photos) == "24 images in 2 class folders: cat 12, dog 12"
    assert len(images_below(photos / "runs/a")) == 12  # the folder itself can be asked for


def test_oddities_are_named_before_any_training(photos):
    (photos / "cat" / "empty.png").touch()
    (photos / "dog" / "notes.txt").write_text("x")
    shutil.copy(photos / "cat" / "0.png", photos / "dog" / "same.png")
    about = describe_class_folders(photos)
    assert "1 of them broken: cat/empty.png" in about
    assert "the same image in two classes: cat/0.png = dog/same.png" in about
    assert "left out, not images: dog/notes.txt" in about


def test_a_run_in_the_parent_folder_says_which_rows_it_predicts(photos):
    home = photos.parent
    trial = 'Trial("one", "forest.forest_model", {"n_estimators": 5})'
    for _ in range(2):  # the second one has the outputs of the first below its data
        shutil.rmtree(home / "competitions", ignore_errors=True)
        done = fkp("new", "pets", "--kind", "images", "--data", ".", cwd=home)
        assert "24 images in 2 class folders" in done.stdout, done.stderr
        (home / "competitions/pets/trials.py").write_text(
            f"from fastkaggle_plus import Trial\nTRIALS = ({trial},)\n"
        )
        done = fkp("run", "pets", "--folds", "2", cwd=home)
        assert done.returncode == 0, done.stderr
        said = " ".join((done.stdout + done.stderr).split())
        assert "8 labelled rows, held out to score this rehearsal" in said
    assert len(list((home / "runs/pets").glob("rehearsal-*"))) == 1


def test_kaggle_is_named_only_where_the_competition_is_known_to_be_there(photos):
    own = load_comp(new_comp("pets", kind="images", dest=photos.parent, data=photos))
    known = read_competition(builtin_folder() / "titanic" / "competition.toml")
    assert next_steps(own, [], is_live=False)[-1][1].startswith("if pets is a competition on")
    assert next_steps(known, [], is_live=False)[-1][1].startswith("does this with your Kaggle")
    assert not any("categories" in trial.hypothesis for trial in default_trials(own))


def test_a_wrong_kind_is_named_before_the_files_are_read(tmp_path):
    with pytest.raises(ConfigError, match="'image' is no kind; expected tabular, images or text"):
        new_comp("a", kind="image", dest=tmp_path, data=tmp_path / "missing")


def test_too_many_folds_say_how_many_are_possible():
    with pytest.raises(DataError, match=r"largest class has only 20 rows.*--folds\) of at most 20"):
        make_folds(np.repeat([0, 1], 20), n_folds=30)


def test_only_good_matches_are_suggested():
    assert UnknownName("trial", "netwrk", ["network", "one_r", "forest"]).near == ["network"]


def test_empty_lists_are_not_spelled_out(tmp_path, photos):
    with pytest.raises(FastkaggleError, match="it contains no table"):
        new_comp("a", dest=tmp_path, data=photos)
    with pytest.raises(FastkaggleError, match="it contains no file at all"):
        (tmp_path / "empty").mkdir()
        new_comp("a", kind="images", dest=tmp_path, data=tmp_path / "empty")
    with pytest.raises(FastkaggleError, match="got 12 images in the folder itself"):
        new_comp("a", kind="images", dest=tmp_path, data=photos / "cat")
