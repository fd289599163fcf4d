"""The bundle has the right files, and painted pictures are cached."""

import hashlib
import shutil
import threading

import pandas as pd
import pytest
from PIL import Image

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import DataError

SMALL = dict(n_images=60, height_px=64, width_px=48)
HAS_LANDSCAPE = 42  # a seed


def images(bundle):
    return {
        p.relative_to(bundle).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in bundle.rglob("*.jpg")
    }


@pytest.fixture
def painter(painting, monkeypatch):
    """Count the pictures that are painted."""
    calls, paint = [], painting.paint

    def counted(*args, **options):
        calls.append(args)
        return paint(*args, **options)

    monkeypatch.setattr(painting, "paint", counted)
    return calls


def test_the_same_seed_paints_the_same_bytes(rehearsal, tmp_path, monkeypatch):
    one = images(rehearsal.make(tmp_path / "one", seed=5, **SMALL))
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "another home"))
    again, other = (
        images(rehearsal.make(tmp_path / str(seed), seed=seed, **SMALL)) for seed in (5, 6)
    )
    assert len(one) == 60 and again == one
    assert not set(other.values()) & set(one.values())


def test_fewer_images_are_the_first_of_more(rehearsal, tmp_path):
    few, many = (
        images(rehearsal.make(tmp_path / str(n), seed=5, **{**SMALL, "n_images": n}))
        for n in (40, 60)
    )
    assert set(few.values()) < set(many.values())


def test_the_files_are_like_paddys(comp, rehearsal, tmp_path):
    bundle = rehearsal.make(tmp_path, seed=HAS_LANDSCAPE, **{**SMALL, "n_images": 200})
    train, solution = pd.read_csv(bundle / "files/train.csv"), pd.read_csv(bundle / "solution.csv")
    assert (
        list(train) == ["image_id", "label", "variety", "age"] and len(train) + len(solution) == 200
    )
    assert sorted([*train["image_id"], *solution["image_id"]]) == [
        f"{100001 + i}.jpg" for i in range(200)
    ]
    assert all(
        (bundle / "files/train_images" / r.label / r.image_id).is_file() for r in train.itertuples()
    )
    assert {p.name for p in (bundle / "files/test_images").iterdir()} == set(solution["image_id"])
    sizes = pd.Series([Image.open(p).size for p in bundle.rglob("*.jpg")]).value_counts()
    assert set(sizes.index) == {(48, 64), (64, 48)} and sizes[(64, 48)] < 0.05 * 200
    assert not {"shown", "is_landscape"} & {
        c for f in bundle.rglob("*.csv") for c in pd.read_csv(f)
    }


@pytest.mark.parametrize("height_px, width_px", [(640, 480), (192, 144), (60, 60)])
def test_any_size_on_request(rehearsal, tmp_path, height_px, width_px):
    bundle = rehearsal.make(tmp_path, seed=5, n_images=12, height_px=height_px, width_px=width_px)
    assert {tuple(sorted(Image.open(p).size)) for p in bundle.rglob("*.jpg")} == {
        tuple(sorted((width_px, height_px)))
    }


def test_cached_pictures_are_not_painted_again(rehearsal, painter, tmp_path):
    first = images(rehearsal.make(tmp_path / "first", seed=5, **SMALL))
    assert len(painter) == 60
    assert (
        images(rehearsal.make(tmp_path / "second", seed=5, **SMALL)) == first and len(painter) == 60
    )
    rehearsal.make(tmp_path / "larger", seed=5, **{**SMALL, "height_px": 66})
    assert len(painter) == 120


@pytest.mark.parametrize("damage", ["cut", "flipped", "swapped", "empty"])
def test_a_damaged_file_is_painted_again(rehearsal, painter, own_home, tmp_path, damage):
    first = images(rehearsal.make(tmp_path / "first", seed=5, **SMALL))
    [kept] = (own_home / "cache").rglob("*.*")
    whole, middle = kept.read_bytes(), kept.stat().st_size // 2
    kept.write_bytes(
        {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "empty": b"",
            "swapped": whole.replace(b"100007.jpg", b"100999.jpg"),
        }[damage]
    )
    assert (
        images(rehearsal.make(tmp_path / "second", seed=5, **SMALL)) == first
        and len(painter) == 120
    )
    assert (
        images(rehearsal.make(tmp_path / "third", seed=5, **SMALL)) == first and len(painter) == 120
    )


def test_another_painter_does_not_use_this_cache(comp, rehearsal, own_home, tmp_path):
    def made_by_a_copy(name, old="", new=""):
        folder = shutil.copytree(comp.folder, tmp_path / name / comp.slug)
        text = (folder / "lesions.py").read_text(encoding="utf-8")
        assert old in text
        (folder / "lesions.py").write_text(
            text.replace(old, new) if old else text, encoding="utf-8"
        )
        return images(
            load_comp(folder).module("rehearsal").make(tmp_path / name / "made", seed=5, **SMALL)
        ), len(list((own_home / "cache").rglob("*.zip")))

    first = images(rehearsal.make(tmp_path / "first", seed=5, **SMALL))
    assert made_by_a_copy("same") == (first, 1)
    changed, n_kept = made_by_a_copy("changed", "ashen, rim =", "rim, ashen =")
    assert (
        n_kept == 2
        and changed.keys() == first.keys()
        and 3 < sum(changed[name] != first[name] for name in first) < 30
    )  # those of blast


def test_a_read_only_home_works_without_a_cache(rehearsal, painter, own_home, tmp_path):
    own_home.write_text("a file where the home should be")
    first = images(rehearsal.make(tmp_path / "first", seed=5, **SMALL))
    assert (
        images(rehearsal.make(tmp_path / "second", seed=5, **SMALL)) == first
        and len(painter) == 120
    )


def test_two_processes_get_the_same_complete_bundle(rehearsal, own_home, tmp_path):
    bundles: dict[int, dict[str, str]] = {}
    both = [
        threading.Thread(
            target=lambda i=i: bundles.update(
                {i: images(rehearsal.make(tmp_path / str(i), seed=5, **SMALL))}
            )
        )
        for i in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(bundles[0]) == 60 and bundles[0] == bundles[1]
    assert [p.suffix for p in (own_home / "cache").rglob("*.*")] == [".zip"]


@pytest.mark.parametrize("n_images", [0, 1])
def test_too_few_images_for_a_holdout_are_refused(rehearsal, tmp_path, n_images):
    with pytest.raises(DataError, match=f"{n_images} labelled rows, too few"):
        rehearsal.make(tmp_path, n_images=n_images)
