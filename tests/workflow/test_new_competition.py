"""`fkp new`: a working folder, with the facts that the data shows; and what it refuses."""

import pandas as pd
import pytest

from fastkaggle_plus.competition import load_comp, read_competition
from fastkaggle_plus.exceptions import ConfigError, FastkaggleError
from fastkaggle_plus.notebooks import quick_copy
from fastkaggle_plus.workflow.new_competition import fill, new_comp

from .toy import fkp

N = 40


def files(folder, train, test, sample=None, names=()):
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (("train", train), ("test", test), ("sample_submission", sample)):
        if frame is not None:
            frame.to_csv(folder / dict(names).get(name, f"{name}.csv"), index=False)
    return folder


def rows(n=N, start=0, **columns):
    return pd.DataFrame(
        {"row": range(start, start + n), "a": [i * 0.5 for i in range(n)], **columns}
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(kind="images", task="multiclass"),
        dict(kind="text", task="regression"),
        dict(
            kind="text", text={"columns": ["anchor", "target"], "context": "about"}, target="score"
        ),
        dict(
            task="regression",
            target=["y", "z"],
            metric="mean_columnwise_rmse",
            split={"kind": "time", "column": "seen"},
        ),
        dict(task="multiclass", metric="log_loss", split={"kind": "group", "column": "team"}),
    ],
)
def test_without_data_the_folder_rehearses_on_made_up_rows(tmp_path, options):
    folder = new_comp("my-new-one", dest=tmp_path / "my-new-one", **options)
    comp = load_comp(folder)
    assert comp.title == "My new one" and comp.page.endswith("competitions/my-new-one")
    bundle = comp.module("rehearsal").make(tmp_path / "bundles", seed=3)
    data = comp.read(bundle / "files")
    assert (
        len(data.train) > 200 and len(data.test) > 50 and data.task == options.get("task", "binary")
    )
    assert (folder / "README.md").read_text().startswith(
        "# My new one\n"
    ) and "fkp run my-new-one" in (folder / "README.md").read_text()
    first = {"images": "colours", "text": "lightgbm"}.get(options.get("kind"), "forest")
    assert {t.name for t in comp.module("trials").TRIALS} >= {first, "fine forest"}


def test_the_default_folder_is_competitions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new_comp("abc").resolve() == tmp_path / "competitions" / "abc"
    assert load_comp("abc").id == "id"


@pytest.mark.parametrize(
    ("target", "sample", "expected"),
    [
        ([0, 1] * 20, [0], ("binary", "accuracy", "stratified")),
        ([0, 1] * 20, [0.5], ("binary", "auc", "stratified")),
        (["x", "y", "z", "x"] * 10, ["x"], ("multiclass", "accuracy", "stratified")),
        ([1, 2, 3, 4] * 10, [1], ("multiclass", "accuracy", "stratified")),
        ([1, 2, 3, 4] * 10, [2.5], ("regression", "rmse", "random")),
        ([i * 7.5 for i in range(N)], [0], ("regression", "rmse", "random")),
        (list(range(N)), [0], ("regression", "rmse", "random")),
    ],
)
@pytest.mark.parametrize("answer", ["y", "prediction"])
def test_task_and_metric_are_inferred_from_the_target(tmp_path, target, sample, expected, answer):
    data = files(
        tmp_path / "data",
        rows(y=target),
        rows(10, 100),
        pd.DataFrame({"row": range(100, 110), answer: sample * 10}),
    )
    comp = load_comp(new_comp("some-comp", dest=tmp_path / "some-comp", data=data))
    assert (comp.id, comp.target) == ("row", ("y",))
    assert (comp.task, comp.metric, comp.split.kind) == expected
    assert len(comp.read(data).train) == N


def test_a_column_for_each_class_in_the_sample(tmp_path):
    sample = pd.DataFrame({"row": range(100, 110), "x": 0.3, "y": 0.3, "z": 0.4})
    data = files(
        tmp_path / "data", rows(kind=["x", "y", "z", "x"] * 10, only_here=1), rows(10, 100), sample
    )
    comp = load_comp(new_comp("c", dest=tmp_path / "c", data=data))
    assert (comp.target, comp.task, comp.metric) == (("kind",), "multiclass", "log_loss")


@pytest.mark.parametrize(
    ("classes", "columns"),
    [
        (["C", "CL", "D", "C"], ["is_C", "is_CL", "is_D"]),
        ([0.5, 1.0, 1.5, 1.0], ["0.5", "1.0", "1.5"]),
    ],
)
def test_the_columns_of_the_classes_may_have_a_prefix_or_be_numbers(tmp_path, classes, columns):
    sample = pd.DataFrame({"row": range(100, 110), **dict.fromkeys(columns, 0.3)})
    data = files(tmp_path / "data", rows(kind=classes * 10, only_here=1), rows(10, 100), sample)
    comp = load_comp(new_comp("c", dest=tmp_path / "c", data=data))
    assert (comp.target, comp.task, comp.metric) == (("kind",), "multiclass", "log_loss")


def test_packed_files_are_found(tmp_path):
    data = files(
        tmp_path / "data",
        rows(y=[0, 1] * 20),
        rows(10, 100),
        None,
        dict(train="train.csv.gz", test="test.csv.gz"),
    )
    comp = load_comp(new_comp("c", dest=tmp_path / "c", data=data))
    assert (comp.train, comp.test, comp.target) == ("train.csv.gz", "test.csv.gz", ("y",)) and len(
        comp.read(data).train
    ) == N


def test_several_targets_odd_file_names_and_a_later_test(tmp_path):
    days = pd.date_range("2020-01-01", periods=N)
    data = files(
        tmp_path / "data",
        rows(when=days, u=range(N), v=range(N)),
        rows(10, 100, when=days[:10] + pd.Timedelta(days=100)),
        pd.DataFrame({"row": range(100, 110), "u": 0, "v": 0}),
        dict(
            train="the_train_v2.csv",
            test="public_test.csv",
            sample_submission="example_submission.csv",
        ),
    )
    comp = load_comp(new_comp("c", dest=tmp_path / "c", data=data))
    assert (comp.train, comp.test, comp.sample_submission) == (
        "the_train_v2.csv",
        "public_test.csv",
        "example_submission.csv",
    )
    assert comp.target == ("u", "v") and comp.metric == "mean_columnwise_rmse"
    assert (comp.split.kind, comp.split.column) == ("time", "when")


def test_without_a_sample_the_columns_only_in_train_are_the_target(tmp_path):
    data = files(tmp_path / "data", rows(y=[0, 1] * 20), rows(10, 100))
    comp = load_comp(new_comp("c", dest=tmp_path / "c", data=data))
    assert (comp.id, comp.target, comp.task) == ("row", ("y",), "binary")


def test_given_facts_win_over_the_data(tmp_path):
    data = files(tmp_path / "data", rows(y=[0, 1] * 20, b=0.5), rows(10, 100))
    comp = load_comp(
        new_comp(
            "c",
            dest=tmp_path / "c",
            data=data,
            id="a",
            target="y",
            metric="auc",
            title="Said",
            split={"kind": "random"},
        )
    )
    assert (comp.id, comp.metric, comp.title, comp.split.kind) == ("a", "auc", "Said", "random")


def test_the_rehearsal_holds_rows_of_the_data_out(tmp_path):
    data = files(tmp_path / "data", rows(y=[0, 1] * 20), rows(10, 100))
    folder = new_comp("c", dest=tmp_path / "c", data=data)
    assert str(tmp_path) not in (folder / "rehearsal.py").read_text()
    bundle = load_comp(folder).module("rehearsal").make(tmp_path / "bundles")
    known = set(pd.read_csv(bundle / "files" / "train.csv")["row"]) | set(
        pd.read_csv(bundle / "files" / "test.csv")["row"]
    )
    assert known == set(range(N))


def test_images_and_their_names(tmp_path):
    from PIL import Image

    data = files(
        tmp_path / "data",
        pd.DataFrame({"pic": ["001", "002", "003", "004"], "breed": ["x", "y", "x", "y"]}),
        None,
        pd.DataFrame({"pic": ["101", "102"], "breed": "x"}),
    )
    for name in (
        "train/x/001.jpg",
        "train/y/002.jpg",
        "train/x/003.jpg",
        "train/y/004.jpg",
        "test/101.jpg",
        "test/102.jpg",
    ):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (int(name[-5]) * 20, 0, 0)).save(data / name)
    comp = load_comp(new_comp("c", kind="images", dest=tmp_path / "c", data=data))
    assert (comp.images.train_folder, comp.images.test_folder, comp.images.name) == (
        "train",
        "test",
        "{breed}/{id}.jpg",
    )
    assert comp.test == "sample_submission.csv" and comp.id == "pic"
    assert comp.read(data).train.x["mean_r"].notna().all()
    train = pd.read_csv(data / "train.csv", dtype=str)
    train.assign(pic=train["pic"].map(lambda pic: f"elsewhere/{pic}")).rename(
        columns={"breed": "box.x{0}"}
    ).to_csv(data / "train.csv", index=False)
    comp = load_comp(
        new_comp("d", kind="images", dest=tmp_path / "d", data=data, target="box.x{0}")
    )  # not valid in a name template
    assert comp.images.name == "{id}" and comp.read(data).train.x["mean_r"].notna().all()
    train[:0].to_csv(data / "train.csv", index=False)
    with pytest.raises(ConfigError, match="no rows"):
        new_comp(
            "e", kind="images", dest=tmp_path / "e", data=data, target="breed", task="multiclass"
        )


def test_text_columns_and_context(tmp_path):
    texts = dict(
        anchor=[f"word number {i}" for i in range(N)],
        target=[f"other words {i % 7}" for i in range(N)],
        context=["A", "B"] * 20,
    )
    data = files(
        tmp_path / "data",
        rows(**texts, score=[0, 0.25, 0.5, 1] * 10),
        rows(**texts),
        pd.DataFrame({"row": range(N), "score": 0.0}),
    )
    comp = load_comp(new_comp("c", kind="text", dest=tmp_path / "c", data=data))
    assert (
        comp.text.columns == ("anchor", "target")
        and comp.text.context == "context"
        and comp.target == ("score",)
    )


@pytest.mark.parametrize(
    ("slug", "options", "message"),
    [
        ("My Comp", {}, "'My Comp' is not a valid name.*'my-comp'"),
        ("../up", {}, "not a valid name"),
        ("", {}, "not a valid name"),
        ("c", dict(kind="image"), "'image' is no kind; expected tabular, images or text"),
        ("c", dict(metrik="auc"), "unknown key metrik = 'auc'. Did you mean 'metric'"),
        ("c", dict(metric="acuracy"), "Did you mean 'accuracy'"),
        ("c", dict(task="regression", metric="auc"), "'auc' does not fit task"),
        ("c", dict(split={"kind": "time"}), r"\[split\] kind = 'time' needs `column`"),
    ],
)
def test_facts_that_do_not_fit_leave_nothing_behind(tmp_path, slug, options, message):
    with pytest.raises(ConfigError, match=message):
        new_comp(slug, dest=tmp_path / slug if slug == "c" else None, **options)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_not_changed(tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        new_comp("c", dest=tmp_path / "c")
    assert not list((tmp_path / "c").iterdir())
    assert new_comp("c", dest=tmp_path / "d") == tmp_path / "d" / "c"
    with pytest.raises(ConfigError, match="exists already"):
        new_comp("c", dest=tmp_path / "d")


def test_data_without_enough_information_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not a folder"):
        new_comp("c", dest=tmp_path / "c", data=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"has no train file: its tables are test\.csv"):
        new_comp("c", dest=tmp_path / "c", data=files(tmp_path / "1", None, rows()))
    with pytest.raises(
        ConfigError, match=r"columns of the train file are row, a\. Name it with --target"
    ):
        new_comp("c", dest=tmp_path / "c", data=files(tmp_path / "2", rows(), None))
    with pytest.raises(
        ConfigError, match=r"columns that only the train file has are u, v\. Name it with --target"
    ):
        new_comp("c", dest=tmp_path / "c", data=files(tmp_path / "3", rows(u=1, v=2), rows()))
    with pytest.raises(
        ConfigError, match=r"Cannot find the training images in .*; expected one folder"
    ):
        new_comp(
            "c",
            kind="images",
            dest=tmp_path / "c",
            data=files(tmp_path / "4", rows(u=[1, 0] * 20), rows()),
        )
    with pytest.raises(
        ConfigError, match=r"No column looks like text.*give text=\{\"columns\": \[\.\.\.\]\} to"
    ):
        new_comp(
            "c",
            kind="text",
            dest=tmp_path / "c",
            data=files(tmp_path / "5", rows(u=[1, 0] * 20), rows()),
        )
    assert not (tmp_path / "c").exists()


def test_fill_keeps_comments_and_adds_what_is_missing(tmp_path):
    text = fill(
        'a = "x"   # why\nb = 1\n\n[split]\nkind = "r"  # k\n',
        {
            "a": 'with "quotes" # and more',
            "c": ["ü", "v"],
            "split": {"column": "d"},
            "text": {"columns": ["t"]},
        },
    )
    assert "# why" in text and "# k" in text
    (tmp_path / "competition.toml").write_text(text, encoding="utf-8")
    import tomllib

    assert tomllib.loads(text) == {
        "a": 'with "quotes" # and more',
        "b": 1,
        "c": ["ü", "v"],
        "split": {"kind": "r", "column": "d"},
        "text": {"columns": ["t"]},
    }
    with pytest.raises(ConfigError):
        read_competition(tmp_path / "competition.toml")


def photos(folder, *names):
    from PIL import Image

    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i * 20 % 250, 0, 0)).save(folder / name)
    return folder


def class_folders(folder, start=""):
    return photos(folder, *(f"{start}{c}/{i}.jpg" for c in ("cat", "dog") for i in range(10)))


def test_class_folders_need_no_table(tmp_path):
    data = class_folders(tmp_path / "photos", "train/")
    photos(data, "valid/cat/1.jpg", "test/p1.jpg", "odd.jpg")
    seen = {}
    folder = new_comp(
        "pets",
        kind="images",
        dest=tmp_path,
        data=data,
        on_inferred=lambda key, value, why: seen.update({key: (value, why)}),
    )
    comp = load_comp(folder)
    assert (comp.train, comp.test, comp.id, comp.target) == (".", "test", "file", ("label",))
    assert seen["train"][1] == (
        "21 images in 2 class folders of train and valid: cat 11, dog 10; "
        "left out, in no class folder: odd.jpg"
    )
    assert seen["task"] == ("binary", "two values: cat, dog") and "images" not in seen
    read = comp.read(data)
    assert len(read.train) == 21 and list(read.test_ids) == ["p1.jpg"]
    assert read.left_out["1 training rows"] == "no value in label"
    quick = comp.read(quick_copy(comp, data, tmp_path / "quick", rows=4))
    assert len(quick.train) == 10 and list(quick.test_ids) == ["p1.jpg"]
    bundle = comp.module("rehearsal").make(tmp_path / "bundles")
    held_out = comp.read(bundle / "files")
    assert len(held_out.train) + len(held_out.test) == 21 and "p1.jpg" not in held_out.test_ids


def test_class_folders_with_a_sample_submission_use_its_heading(tmp_path):
    data = class_folders(tmp_path / "photos", "imgs/train/")
    photos(data, "imgs/test/x.jpg")
    (data / "sample_submission.csv").write_text("img,animal\nx,cat\n")
    comp = load_comp(new_comp("pets", kind="images", dest=tmp_path, data=data))
    assert (comp.train, comp.id, comp.images.test_folder) == ("imgs/train", "img", "imgs/test")
    read = comp.read(data)
    assert read.test.images and next(iter(read.test.images)).endswith("x.jpg")
    assert list(read.sample) == ["img", "animal"] and read.train.also is None


def test_images_without_a_test_file_are_listed_by_the_test_folder(tmp_path):
    data = photos(tmp_path / "data", *(f"train_images/{i}.jpg" for i in range(6)))
    photos(data, "test_images/7.jpg", "test_images/8.jpg")
    table = pd.DataFrame({"image_id": range(6), "label": ["x", "y"] * 3})
    table.to_csv(data / "labels.csv", index=False)
    comp = load_comp(new_comp("c", kind="images", dest=tmp_path, data=data))
    assert (comp.train, comp.test, comp.target) == ("labels.csv", "test_images", ("label",))
    assert list(comp.read(data).test_ids) == ["7", "8"]  # without suffix, as in the labels
    template = load_comp(
        new_comp("d", kind="images", dest=tmp_path, train="labels.csv", id="image_id")
    )
    assert (template.test, template.test_name(data)) == ("test.csv", "test_images")


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (("cat/1.jpg", "cat/2.jpg"), "images", "no class folders.*got 2 images in cat"),
        (("cat/1.jpg", "dog/2.jpg"), "tabular", "It has 2 images: add --kind images"),
        ((), "images", "contains no image"),
    ],
)
def test_photos_that_cannot_be_labelled_are_explained(tmp_path, names, kind, message):
    data = photos(tmp_path / "photos", *names)
    data.mkdir(exist_ok=True)
    with pytest.raises(FastkaggleError, match=message):
        new_comp("c", kind=kind, dest=tmp_path, data=data)
    assert not (tmp_path / "c").exists()


def test_the_command_prints_what_it_inferred_and_takes_what_it_could_not(tmp_path):
    files(tmp_path / "data", rows(b=[1, 2, 3, 4] * 10, team=["a", "b"] * 20), None)
    done = fkp("new", "c", "--data", "data", cwd=tmp_path)
    assert done.returncode == 1 and "are row, a, b, team. Name it with --target" in done.stderr
    done = fkp(
        *("new", "c", "--data", "data", "--target", "team"),
        *("--task", "binary", "--split", "group:b"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "train.csv" in done.stdout and "it counts the rows" in done.stdout
    comp = load_comp(tmp_path / "competitions/c")
    assert (comp.split.kind, comp.split.column) == ("group", "b")


def test_a_wrong_metric_is_an_error_about_the_option(tmp_path):
    test = rows(10, 40, b=1)
    data = files(tmp_path / "d", rows(b=1, y=[0, 1, 2, 3] * 10), test)
    done = fkp("new", "toy", "--data", data, "--metric", "f1", cwd=tmp_path)
    assert done.returncode == 1 and "competition.toml" not in done.stderr
    assert "Give another --metric or --task. Nothing was written." in done.stderr
    done = fkp("new", "toy", "--data", data, "--metric", "f1_macro", cwd=tmp_path)
    assert [line.split() for line in done.stdout.splitlines() if "f1_macro" in line] == [
        ["metric", "f1_macro", "given"]
    ]


def test_repeated_ids_and_a_sample_of_another_length_are_refused(tmp_path):
    sample = pd.DataFrame({"row": range(40, 49), "y": 0})
    train = rows(b=1, y=[0, 1] * 20)
    data = files(tmp_path / "d", train, rows(11, 40, b=1), sample)
    done = fkp("new", "toy", "--data", data, cwd=tmp_path)
    assert "test.csv has 11 rows, the sample sample_submission.csv 9." in done.stderr
    files(data, pd.concat([train, train[3:5]]), rows(9, 40, b=1), sample)
    done = fkp("new", "toy", "--data", data, cwd=tmp_path)
    assert "train.csv has these values of the id 'row' more than once: 3, 4." in done.stderr
    assert done.returncode == 1 and not (tmp_path / "competitions").exists()
