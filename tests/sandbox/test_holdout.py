"""rehearse: held-out rows make a bundle that the sandbox serves, for many kinds of files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fastkaggle_plus.competition import read_competition
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.sandbox import answered_by_file, rehearse
from fastkaggle_plus.sandbox.bundles import read_bundle
from fastkaggle_plus.sandbox.scoring import score

N = 60
RNG = np.random.default_rng(5)


def make(folder, frame, *, sample=None, encoding="utf-8", split="", extra="", **facts):
    """Write a competition's folder with its train file in it, and return the competition."""
    facts = {"task": "binary", "metric": "accuracy", "id": "id", "target": "y", **facts}
    (folder / "toy").mkdir()
    (folder / "toy/competition.toml").write_text(
        "".join(f'{k} = "{v}"\n' for k, v in facts.items()) + extra + split
    )
    frame.to_csv(folder / "toy/train.csv", index=False, encoding=encoding)
    if sample is not None:
        sample.to_csv(folder / "toy/sample_submission.csv", index=False)
    return read_competition(folder / "toy/competition.toml")


def rows(y=None, **columns):
    return pd.DataFrame(
        {
            "id": range(N),
            "x": RNG.normal(size=N),
            **columns,
            "y": RNG.integers(0, 2, N) if y is None else y,
        }
    )


def bundle_of(comp, dest):
    return read_bundle(rehearse(comp, comp.folder, dest / "bundles"))


def best(bundle, columns, says=lambda column: column):
    """The score of a submission that gives each row's true class all the probability."""
    truth = bundle.solution["y"]
    frame = pd.DataFrame(
        {"id": bundle.solution["id"], **{c: (truth == says(c)).astype(int) for c in columns}}
    )
    return score(bundle, frame.to_csv(index=False).encode())


def test_probabilities_of_several_classes_get_a_column_each(tmp_path):
    bundle = bundle_of(
        make(tmp_path, rows(["a", "b", "c"] * 20), task="multiclass", metric="log_loss"), tmp_path
    )
    sample = pd.read_csv(bundle.folder / "files/sample_submission.csv")
    assert list(sample) == ["id", "a", "b", "c"] and sample.iloc[0, 1:].sum() == pytest.approx(
        1, abs=1e-5
    )
    assert best(bundle, "abc") == pytest.approx((0, 0), abs=1e-9)
    (bundle.folder / "files/sample_submission.csv").unlink()
    assert best(read_bundle(bundle.folder), "abc") == pytest.approx((0, 0), abs=1e-9)


def test_sample_columns_can_name_the_classes_differently(tmp_path):
    columns = ["Status_C", "Status_CL", "Status_D"]
    sample = pd.DataFrame({"id": [1], **dict.fromkeys(columns, 0.3)})
    bundle = bundle_of(
        make(
            tmp_path,
            rows(["C", "CL", "D", "C"] * 15),
            sample=sample,
            task="multiclass",
            metric="log_loss",
        ),
        tmp_path,
    )
    shares = pd.read_csv(bundle.folder / "files/sample_submission.csv").iloc[0]
    assert shares["Status_C"] > 0.3 and shares[columns].sum() == pytest.approx(1, abs=1e-5)
    assert best(bundle, columns, lambda c: c.removeprefix("Status_")) == pytest.approx(
        (0, 0), abs=1e-9
    )


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"y": ["low", "high"] * 30},
            dict(task="regression", metric="rmse"),
            r"train\.csv: task = \"regression\" needs numbers, and 'y' holds 'low'",
        ),
        (
            {},
            dict(id="idd"),
            r"competition\.toml: id = \"idd\": .*train\.csv has no such column\. Did you "
            r"mean 'id'\? Its columns: id, x, y",
        ),
        (
            {},
            dict(target="Y"),
            r"competition\.toml: target = \"Y\": .*train\.csv has no such column\. Did "
            r"you mean 'y'",
        ),
        (
            {},
            dict(split='[split]\nkind = "group"\ncolumn = "team"'),
            r"competition\.toml: \[split\] column = \"team\": .*no such column",
        ),
        (
            {"word": ["a", "b"] * 30},
            dict(split='[split]\nkind = "time"\ncolumn = "word"'),
            r"competition\.toml: \[split\] column = \"word\": 60 values .*train\.csv.*\('a'\)",
        ),
        (
            {"id": [7] * N},
            {},
            r"train\.csv has these values of the id 'id' more than once: '7'\. .*joined by id",
        ),
    ],
)
def test_errors_name_the_users_own_files(tmp_path, changes, options, message):
    comp = make(tmp_path, rows(**changes), **options)
    with pytest.raises(DataError, match=message):
        rehearse(comp, comp.folder, tmp_path / "bundles")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_files_in_other_encodings_are_served_in_utf8(tmp_path, encoding):
    comp = make(tmp_path, rows(town=["Zürich", "Genève"] * 30), encoding=encoding)
    bundle = bundle_of(comp, tmp_path)
    assert set(pd.read_csv(bundle.folder / "files/train.csv", encoding="utf-8")["town"]) == {
        "Zürich",
        "Genève",
    }


def test_compressed_files_stay_compressed_and_reproducible(tmp_path):
    comp = make(tmp_path, rows(), train="train.csv.gz")
    pd.read_csv(comp.folder / "train.csv").to_csv(comp.folder / "train.csv.gz", index=False)
    first, again = (
        rehearse(comp, comp.folder, tmp_path / place) / "files/train.csv.gz" for place in "ab"
    )
    assert (
        first.read_bytes()[:2] == b"\x1f\x8b"
        and first.read_bytes() == again.read_bytes()
        and len(pd.read_csv(first)) == 42
    )


def test_many_groups_are_held_out_as_a_whole(tmp_path):
    n = 20_000
    teams = [f"team {i}" for i in RNG.integers(0, 8_000, n)]
    frame = pd.DataFrame({"id": range(n), "x": 1, "team": teams, "y": RNG.integers(0, 2, n)})
    bundle = rehearse(
        make(tmp_path, frame, split='[split]\nkind = "group"\ncolumn = "team"'),
        tmp_path / "toy",
        tmp_path / "bundles",
    )
    train, test = (pd.read_csv(bundle / "files" / f) for f in ("train.csv", "test.csv"))
    assert not set(train["team"]) & set(test["team"]) and len(test) == pytest.approx(
        0.3 * n, abs=10
    )


IMAGES = '[split]\nkind = "stratified"\n[images]\nname = "{name}"\n'


def pictures(comp, files):
    for file in files:
        (comp.folder / "train_images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(comp.folder / "train_images" / file)


@pytest.mark.parametrize(("n", "shown"), [(60, 2), (2000, 36)])
def test_a_code_competition_shows_few_test_rows_and_hides_the_rest(tmp_path, n, shown):
    frame = pd.DataFrame({"id": range(n), "x": RNG.normal(size=n), "y": RNG.integers(0, 2, n)})
    bundle = bundle_of(make(tmp_path, frame, extra="code_competition = true\n"), tmp_path)
    seen, asked = (
        {f: pd.read_csv(bundle.folder / part / f) for f in ("test.csv", "sample_submission.csv")}
        for part in ("files", "hidden")
    )
    assert len(seen["test.csv"]) == shown and len(asked["test.csv"]) == 0.3 * n == len(
        bundle.solution
    )
    for rows in (seen, asked):
        assert list(rows["test.csv"]["id"]) == list(rows["sample_submission.csv"]["id"]) and list(
            rows["test.csv"]
        ) == ["id", "x"]
    assert (
        set(seen["test.csv"]["id"]) < set(asked["test.csv"]["id"]) and bundle.comp.code_competition
    )
    assert best(bundle, ["y"], lambda _: "1") == (1, 1)


def test_a_bundle_of_hidden_rows_answered_by_file_shows_them_all(tmp_path):
    bundle = bundle_of(
        make(tmp_path, rows(), extra='"code_competition"  = true   # only notebooks\n'), tmp_path
    )
    twin = read_bundle(answered_by_file(bundle.folder, tmp_path / "twin"))
    assert (
        not twin.comp.code_competition
        and twin.hidden is None
        and len(pd.read_csv(twin.folder / "files/test.csv")) == 18
    )
    assert (
        list(twin.sample["id"]) == list(bundle.sample["id"])
        and "go" not in twin.files
        and bundle.hidden is not None
    )
    for name in ("test.csv", "sample_submission.csv"):
        assert (twin.folder / "files" / name).read_bytes() == (
            bundle.folder / "hidden" / name
        ).read_bytes()


def test_images_of_hidden_rows_are_hidden_too(tmp_path):
    comp = make(
        tmp_path,
        rows(["a", "b"] * 30),
        kind="images",
        split=IMAGES.format(name="{id}.jpg"),
        extra="code_competition = true\n",
    )
    pictures(comp, [f"{i}.jpg" for i in range(N)])
    bundle = bundle_of(comp, tmp_path).folder
    [shown] = pd.read_csv(bundle / "files/test.csv")["id"].tolist()[:1]
    seen, hidden = (
        {p.stem for p in (bundle / part / "test_images").glob("*")} for part in ("files", "hidden")
    )
    assert str(shown) in seen and len(seen) == 2 and len(hidden) == 16 and not seen & hidden


def test_a_missing_image_does_not_stop_a_rehearsal(tmp_path):
    comp = make(
        tmp_path,
        rows(["a", "b"] * 30),
        kind="images",
        test="sample_submission.csv",
        split=IMAGES.format(name="{y}/{id}"),
    )
    pictures(
        comp,
        [f"{'ab'[i % 2]}/{i}.{'jpg' if i % 3 else 'png'}" for i in range(N) if i not in (3, 4)],
    )
    bundle = bundle_of(comp, tmp_path)
    assert (
        len(list((bundle.folder / "files/train_images").rglob("*.*")))
        + len(list((bundle.folder / "files/test_images").glob("*.*")))
        == N - 2
    )
    with pytest.raises(DataError, match=r"No image of id = '0', nor of any other row"):
        rehearse(
            comp.model_copy(
                update={"images": comp.images.model_copy(update={"train_folder": "elsewhere"})}
            ),
            comp.folder,
            tmp_path / "none",
        )


@pytest.mark.parametrize("above", ["", "train_images/"])
def test_held_out_images_keep_a_folder_that_their_ids_name(tmp_path, above):
    """Also without an [images] section: then the default folders and template apply."""
    names = [f"s{i % 3}/{i // 3}.png" for i in range(N)]
    comp = make(
        tmp_path, rows(["a", "b"] * 30).assign(id=[above + name for name in names]), kind="images"
    )
    pictures(comp, names)
    bundle = bundle_of(comp, tmp_path)
    held_out = bundle.folder / "files/test_images"
    assert {above + f.relative_to(held_out).as_posix() for f in held_out.rglob("*.png")} == set(
        bundle.solution["id"]
    )
    data = comp.read(bundle.folder / "files")
    assert [Path(f).relative_to(held_out).as_posix() for f in data.test.images] == [
        i.removeprefix(above) for i in data.test_ids
    ]


def test_rows_without_ids_are_numbered_again_as_on_kaggle(tmp_path):
    frame = rows(["a", "b"] * 30).drop(columns="id")
    comp = make(tmp_path, frame, id="RowId", sample=pd.DataFrame({"RowId": [1], "Y": "a"}))
    bundle = bundle_of(comp, tmp_path)
    files = bundle.folder / "files"
    train, test, sample = (
        pd.read_csv(files / f) for f in ("train.csv", "test.csv", "sample_submission.csv")
    )
    assert list(train) == ["x", "y"] and list(test) == ["x"] and list(sample) == ["RowId", "Y"]
    assert list(sample["RowId"]) == list(range(1, 19))
    data = comp.read(files)
    assert list(data.test_ids) == list(sample["RowId"]) and len(data.train) == 42
    truth = frame.set_index("x")["y"].loc[test["x"]].tolist()
    answers = sample.assign(Y=truth).to_csv(index=False).encode()
    assert score(bundle, answers) == (1, 1)


@pytest.mark.parametrize("seed", range(4))
def test_one_repeated_training_id_is_refused_for_every_seed(tmp_path, seed):
    comp = make(tmp_path, rows(id=[*range(N - 1), 3]))
    with pytest.raises(DataError, match=r"train\.csv has .* more than once: '3'"):
        rehearse(comp, comp.folder, tmp_path / "bundles", seed=seed)


def test_the_test_file_and_the_sample_need_the_same_rows(tmp_path):
    comp = make(tmp_path, rows(), sample=pd.DataFrame({"id": range(60, 69), "y": 0}))
    test = comp.folder / "test.csv"
    rows().drop(columns="y")[:11].to_csv(test, index=False)
    with pytest.raises(DataError, match=r"test\.csv has 11 rows, the sample .* 9\."):
        bundle_of(comp, tmp_path)
    rows(id=[5] * N).drop(columns="y")[:9].to_csv(test, index=False)
    with pytest.raises(DataError, match=r"test\.csv has .* more than once: '5'"):
        bundle_of(comp, tmp_path)
    (comp.folder / "data.py").write_text("def read(path): ...\n")  # reads it in its own way
    assert len(bundle_of(comp, tmp_path).solution) == 18


def test_the_sample_keeps_its_separator_and_heading(tmp_path):
    comp = make(tmp_path, rows())
    sample = comp.folder / "sample_submission.csv"
    sample.write_text("id;Answer\n60;1\n61;0\n")
    assert (
        (bundle_of(comp, tmp_path).folder / "files" / sample.name)
        .read_text()
        .startswith("id;Answer\n")
    )


def test_files_keep_their_separator_and_types(tmp_path):
    pytest.importorskip("pyarrow")
    comp = make(tmp_path, rows(), train="train.parquet", test="test.csv")
    frame = rows(when=pd.date_range("2020-01-01", periods=N), code=["007"] * N)
    frame.to_parquet(comp.folder / "train.parquet")
    frame.drop(columns="y").to_csv(comp.folder / "test.csv", sep=";", index=False)
    files = bundle_of(comp, tmp_path).folder / "files"
    served = pd.read_parquet(files / "train.parquet")
    assert served.dtypes.to_dict() == frame.dtypes.to_dict() and len(served) == 42
    assert (files / "test.csv").read_text().startswith("id;x;when;code\n")


@pytest.mark.parametrize("code", ["", "code_competition = true\n"])
@pytest.mark.parametrize(
    ("train", "names"),
    [(".", ("a/{}.png", "b/x/{}.png")), ("train", ("train/a/{}.png", "train/b/{}.png"))],
)
def test_images_of_class_folders_are_held_out_under_new_names(tmp_path, train, names, code):
    comp = make(
        tmp_path,
        rows(),
        kind="images",
        id="file",
        target="label",
        train=train,
        test="test",
        extra=code,
        split=f'[split]\nkind = "stratified"\n[images]\ntrain_folder = "{train}"\n'
        'test_folder = "test"\n',
    )
    data = tmp_path / "photos"
    for i in range(20):
        for name, blue in zip(names, (0, 255), strict=True):
            (data / name.format(i)).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4), (9 * i, 0, blue)).save(data / name.format(i))
    (data / "stray.png").write_bytes((data / names[0].format(0)).read_bytes())
    bundle = read_bundle(rehearse(comp, data, tmp_path / "bundles"))
    files, hidden = bundle.folder / "files", bundle.folder / "hidden"
    assert not list(files.glob("**/train.csv")) and len(bundle.solution) == 12
    assert list(bundle.sample["file"]) == [f"{i:02d}.png" for i in range(1, 13)]
    shown = sorted(p.name for p in (files / "test").iterdir())
    kept_back = sorted(p.name for p in (hidden / "test").glob("*"))
    assert sorted(shown + kept_back) == list(bundle.sample["file"])
    assert len(shown) == (1 if code else 12)
    read = comp.read(files)
    assert len(read.train) == 28 and read.vocab == ("a", "b")
    assert [Path(f).name for f in read.test.images] == shown == list(read.test_ids)
    blue = {p.name: Image.open(p).getpixel((0, 0))[2] for p in bundle.folder.glob("*/test/*.png")}
    answers = bundle.sample.assign(label=["ab"[blue[f] > 9] for f in bundle.sample["file"]])
    assert score(bundle, answers.to_csv(index=False).encode()) == (1, 1)
    labels = "".join(bundle.solution["label"])
    assert labels != "".join(sorted(labels))  # the order of the rows says nothing about the class
