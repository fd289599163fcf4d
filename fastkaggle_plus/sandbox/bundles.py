"""A bundle: the folder the sandbox serves a competition from, read and checked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..competition import FACTS, Competition, read_competition
from ..exceptions import ConfigError
from ..metrics import ALIASES, METRICS, get_metric
from ..reading import need_columns, parse_csv
from ..reading.labels import columns_of_classes
from .csv_rows import read_rows

Grade = Callable[[pd.DataFrame, pd.DataFrame], float]


@dataclass(frozen=True, eq=False)
class Bundle:
    "A competition as its organiser holds it."

    comp: Competition
    folder: Path
    sample: pd.DataFrame  # the sample submission, all cells text
    solution: pd.DataFrame  # id, target columns, Usage (public | private | ignored), all cells text
    grade: Grade | None  # grade.py's function, for a metric that has no name
    higher_is_better: bool
    labels: frozenset[str] = (
        frozenset()
    )  # of the training file and the solution, as they are written; empty for a regression

    @property
    def slug(self) -> str:
        "The competition's URL name."
        return self.comp.slug

    @property
    def files(self) -> dict[str, Path]:
        "What a competitor may download: name inside the bundle -> file."
        root = self.folder / "files"
        return {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file()}

    @property
    def hidden(self) -> Path | None:
        "What replaces files of the same name when a notebook is run again to be scored, if there is such a folder."
        return self.folder / "hidden" if (self.folder / "hidden").is_dir() else None

    @property
    def references(self) -> dict[str, Path]:
        "Reference entries of the leaderboard: team name -> csv."
        found = {p.stem: p for p in sorted((self.folder / "references").glob("*.csv"))}
        sample = sample_file(self.folder, self.comp)
        return {**({"sample submission": sample} if sample.exists() else {}), **found}


def read_bundles(folder: Path) -> dict[str, Bundle]:
    "Read every bundle in a folder, by slug. Raises ConfigError naming file and problem."
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is no folder. The sandbox serves a folder of bundles: DIR/<slug>/ with {FACTS}, files/ and solution.csv."
        )
    found = {
        file.parent.name: read_bundle(file.parent) for file in sorted(folder.glob(f"*/{FACTS}"))
    }
    if not found:
        raise ConfigError(
            f"{folder} holds no bundle. A bundle is a folder in it, named like the competition, with {FACTS}, files/ and solution.csv."
        )
    return found


def read_bundle(folder: Path) -> Bundle:
    "Read and check one bundle. Raises ConfigError naming file and problem."
    comp = read_competition(folder / FACTS)
    if not (folder / "files").is_dir():
        raise ConfigError(
            f"{folder / 'files'} is not there. It is what competitors download: train, test and sample submission."
        )
    solution = _read(folder / "solution.csv")
    usage = {c.lower(): c for c in solution.columns}.get("usage")
    if usage is None:
        raise ConfigError(
            f"{folder / 'solution.csv'} has no column Usage, which says Public or Private for each row. "
            f"Its columns: {', '.join(solution.columns)}."
        )
    solution = solution.rename(columns={usage: "Usage"}).assign(
        Usage=lambda d: d["Usage"].str.strip().str.lower()
    )
    if odd := sorted(set(solution["Usage"]) - {"public", "private", "ignored"}):
        raise ConfigError(
            f"{folder / 'solution.csv'}: Usage = {odd[0]!r} is not Public, Private or Ignored."
        )
    need_columns(solution, {"id": (comp.id,)}, folder / "solution.csv", comp.facts_file)
    if (twice := solution[comp.id].duplicated()).any():
        raise ConfigError(
            f"{folder / 'solution.csv'}: the id {solution[comp.id][twice].iloc[0]!r} is there more than once."
        )
    file = sample_file(folder, comp)
    labels = _labels(comp, folder, solution)
    sample = _read(file) if file.exists() else _sample(comp, solution, labels)
    _same_ids(folder, comp.id, sample, solution)
    grade, higher = None, True
    if (module := comp.module("grade")) is not None:
        grade, higher = (
            getattr(module, "grade", None),
            bool(getattr(module, "higher_is_better", True)),
        )
        if not callable(grade):
            raise ConfigError(
                f"{module.__file__} has no function grade(submission, solution) -> float. Write one, or take the file away "
                "and name a metric."
            )
    else:
        higher = get_metric(comp.metric).higher_is_better
        if not set(comp.target) & set(solution.columns) and not set(sample.columns[1:]) <= set(
            solution.columns
        ):
            raise ConfigError(
                f"{folder / 'solution.csv'} has none of the target columns {', '.join(comp.target)}. Its columns: {', '.join(solution.columns)}."
            )
    return Bundle(
        comp,
        folder,
        sample,
        _with_class_columns(comp, solution, sample, labels),
        grade,
        higher,
        labels,
    )


def sample_file(folder: Path, comp: Competition) -> Path:
    "Return the sample submission that has the solution's ids: the hidden one where there is one."
    hidden = folder / "hidden" / comp.sample_submission
    return hidden if hidden.exists() else folder / "files" / comp.sample_submission


def _labels(comp: Competition, folder: Path, solution: pd.DataFrame) -> frozenset[str]:
    if comp.task == "regression" or comp.target[0] not in solution:
        return frozenset()
    with contextlib.suppress(OSError, ValueError):  # a competition need not have a training csv
        train = parse_csv(
            folder / "files" / comp.train,
            dtype=str,
            keep_default_na=False,
            usecols=[comp.target[0]],
        )
        return frozenset(solution[comp.target[0]]) | frozenset(train[comp.target[0]]) - {""}
    return frozenset(solution[comp.target[0]])


def _sample(comp: Competition, solution: pd.DataFrame, labels: frozenset[str]) -> pd.DataFrame:
    "The columns that a submission needs where no sample says: those of the solution, but a column a class for probabilities of several."
    if (
        comp.task == "multiclass"
        and labels
        and comp.metric in {*METRICS, *ALIASES}
        and get_metric(comp.metric).wants == "probability"
    ):
        return solution[[comp.id]].assign(**dict.fromkeys(sorted(labels), "0"))
    return solution.drop(columns="Usage")


def _with_class_columns(
    comp: Competition, solution: pd.DataFrame, sample: pd.DataFrame, labels: frozenset[str]
) -> pd.DataFrame:
    "Add a 0/1 column a class to a solution of labels, where the sample calls the classes otherwise (`Status_C` for C)."
    classes, columns = sorted(labels), list(sample.columns[1:])
    found = columns_of_classes(classes, columns) if len(columns) > 1 and classes else None
    if found is None or set(columns) & set(solution.columns) or set(columns) == set(classes):
        return solution
    return solution.assign(
        **{
            c: (solution[comp.target[0]] == label).astype(int).astype(str)
            for c, label in zip(found, classes, strict=True)
        }
    )


def _read(file: Path) -> pd.DataFrame:
    return read_rows(
        file,
        needed="A bundle needs it: id, target column(s) and Usage = Public | Private for each test row.",
        error=ConfigError,
    )


def _same_ids(folder: Path, id: str, sample: pd.DataFrame, solution: pd.DataFrame) -> None:
    if sample.columns[0] != id:
        raise ConfigError(
            f"The first column of the sample submission of {folder.name} is {sample.columns[0]!r}, and id = {id!r} in {FACTS}."
        )
    if odd := sorted(set(sample[id]) ^ set(solution[id])):
        seen_alone = (folder / "hidden").is_dir() and set(sample[id]) < set(solution[id])
        hint = (
            f" Put one of all rows, those that are hidden too, into {folder / 'hidden'}, beside the test file."
            if seen_alone
            else ""
        )
        raise ConfigError(
            f"{folder / 'solution.csv'} and the sample submission have other ids: {len(odd)} are in one of them only, like {odd[0]!r}.{hint}"
        )
