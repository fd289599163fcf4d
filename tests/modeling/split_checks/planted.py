"""Small competitions, each with one planted leak or shift."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance

from fastkaggle_plus.data import Data
from fastkaggle_plus.folds import Folds, make_folds
from fastkaggle_plus.reading.images import read_images
from fastkaggle_plus.reading.text import read_text

from ...benchmarks.calibration_parts.doctor import as_data

N, N_TEST = 360, 180


def table(seed: int = 0, n: int = N + N_TEST) -> pd.DataFrame:
    """Return rows without any leak; x0 says a little about the target."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).round(3)
    colors = rng.choice(["red", "green", "blue"], n)
    frame = pd.DataFrame(x, columns=["x0", "x1", "x2"]).assign(color=colors)
    return frame.assign(y=(x[:, 0] + 2 * rng.normal(size=n) > 0).astype(int))


def covariate_shift(folder: Path) -> Data:
    frame = table()
    frame.loc[N:, "x1"] += 1
    return as_data(frame, N, "binary")


def id_leak(folder: Path) -> Data:
    """The ids of each class come from another range; the order of the rows is random."""
    data = as_data(table(), N, "binary")
    ids = np.random.default_rng(0).permutation(N) + 10_000 * data.targs
    return Data(**{**vars(data), "ids": ids})


def row_order(folder: Path) -> Data:
    frame = table()
    frame[:N] = frame[:N].sort_values("y").to_numpy()
    return as_data(frame.infer_objects(), N, "binary")


def target_copy(folder: Path) -> Data:
    frame = table()
    noise = np.random.default_rng(1).normal(size=len(frame))
    return as_data(frame.assign(invoice=100 * frame["y"] + noise), N, "binary")


def copied_rows(folder: Path) -> Data:
    frame = table()
    frame[N // 2 : N] = frame[: N // 2].to_numpy()
    return as_data(frame.infer_objects(), N, "binary")


def conflicting_rows(folder: Path) -> Data:
    frame = table()
    frame[N - 60 : N] = frame[:60].to_numpy()
    frame.loc[N - 60 : N - 31, "y"] = 1 - frame.loc[N - 60 : N - 31, "y"]
    return as_data(frame.infer_objects(), N, "binary")


def train_rows_in_test(folder: Path) -> Data:
    frame = table()
    frame[N : N + 40] = frame[:40].to_numpy()
    return as_data(frame.infer_objects(), N, "binary")


def image_copies(folder: Path) -> Data:
    """A third of the training images are others in another size and brightness."""
    rng, n, n_test = np.random.default_rng(0), 90, 45
    labels = rng.choice(["cat", "dog"], n)
    for part, count in (("train", n), ("test", n_test)):
        (folder / f"{part}_images").mkdir()
        for i in range(count):
            image = Image.fromarray(rng.integers(0, 200, (6, 6, 3), dtype=np.uint8)).resize(
                (40, 40)
            )
            if part == "train" and i >= n * 2 // 3:
                image = Image.open(folder / "train_images" / f"{i - n * 2 // 3}.png")
                image = ImageEnhance.Brightness(image).enhance(1.2).resize((60, 50))
                labels[i] = labels[i - n * 2 // 3]
            image.save(folder / f"{part}_images" / f"{i}.png")
    pd.DataFrame({"id": range(n), "animal": labels}).to_csv(folder / "train.csv", index=False)
    pd.DataFrame({"id": range(n_test)}).to_csv(folder / "test.csv", index=False)
    facts = dict(id="id", target=("animal",), task="binary", metric="accuracy")
    return read_images(folder, **facts)


def text_copies(folder: Path) -> Data:
    """A third of the training texts are others with one word changed."""
    rng, n = np.random.default_rng(0), 240
    words = np.array(["".join(rng.choice(list("abcdefghijklmnop"), 6)) for _ in range(800)])
    texts = [" ".join(rng.choice(words, 25)) for _ in range(n + n // 2)]
    labels = rng.integers(0, 2, len(texts))
    for i in range(n // 3):
        texts[n - 1 - i] = " ".join(["other", *texts[i].split()[1:]])
        labels[n - 1 - i] = labels[i]
    frame = pd.DataFrame({"id": range(len(texts)), "review": texts, "good": labels})
    frame[:n].to_csv(folder / "train.csv", index=False)
    frame[n:].drop(columns="good").to_csv(folder / "test.csv", index=False)
    facts = dict(id="id", target=("good",), task="binary", metric="accuracy")
    return read_text(folder, columns=("review",), context="", **facts)


def groups(folder: Path) -> Data:
    """Patients have several visits; no patient of train is in test."""
    rng, visits = np.random.default_rng(0), 6
    patient = np.repeat(np.arange((N + N_TEST) // visits), visits)
    level = rng.normal(size=(2, patient.max() + 1))[:, patient]
    frame = table().assign(patient=patient + 1000, x0=level[0].round(3))
    frame["y"] = (level[1] + 0.3 * rng.normal(size=len(frame)) > 0).astype(int)
    train = frame[:N].sample(frac=1, random_state=0)
    return as_data(pd.concat([train, frame[N:]]), N, "binary")


def later(folder: Path) -> Data:
    """The target drifts along time, and the test rows are the latest; train is shuffled."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=N + N_TEST)
    drift = np.cumsum(rng.normal(size=len(days)))
    frame = table().assign(
        sold=days.strftime("%Y-%m-%d"), y=drift + 0.3 * rng.normal(size=len(days))
    )
    train = frame[:N].sample(frac=1, random_state=0)
    return as_data(pd.concat([train, frame[N:]]), N, "regression")


def odd_columns(folder: Path) -> Data:
    frame = table().assign(version=3)
    frame["town"] = np.random.default_rng(3).choice(
        [f"town {c}" for c in "abcdefghijkl"], len(frame)
    )
    frame.loc[N + 60 :, "town"] = "town z"
    data = as_data(frame, N, "binary")
    raw_train = data.raw_train.assign(clicks=1.5)
    raw_test = data.raw_test.assign(weather="wet")
    return Data(**{**vars(data), "raw_train": raw_train, "raw_test": raw_test})


# maker -> (kind, column) of the findings that it must give
PLANTED = {
    covariate_shift: [("shift between train and test", "x1")],
    id_leak: [("id", "row_id")],
    row_order: [("row order", "order of the rows")],
    target_copy: [("copy of the target", "invoice")],
    copied_rows: [("copies of rows across folds", "all columns")],
    conflicting_rows: [("copies of rows with other targets", "all columns")],
    train_rows_in_test: [("train rows in test", "all columns")],
    image_copies: [("copies of images across folds", "image")],
    text_copies: [("copies of texts across folds", "review")],
    groups: [("groups across folds", "patient")],
    later: [("test rows are later", "sold")],
    odd_columns: [
        ("constant column", "version"),
        ("column in train only", "clicks"),
        ("column in test only", "weather"),
        ("levels that train lacks", "town"),
    ],
}


def folds_of(data: Data) -> Folds:
    """Return the folds that a user without doubts would make."""
    return make_folds(data.targs, n_folds=4)
