"""Read and check a bundle: the folder that the sandbox serves a competition from."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..competition import COMPETITION_FILE, Competition, read_competition
from ..exceptions import ConfigError, FastkaggleError
from ..reading import need_columns, parse_rows
from ..reading.labels import columns_of_classes
from .csv_text import read_text_csv

Grade = Callable[[pd.DataFrame, pd.DataFrame], float]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A competition with its solution."""

    comp: Competition
    folder: Path
    sample: pd.DataFrame  # the sample submission, all cells text
    solution: pd.DataFrame  # id, target columns, Usage (public | private | ignored), all text
    grade: Grade | None  # the function in grade.py, for a metric without a name
    higher_is_better: bool
    # as written in the training file and the solution; empty for a regression
    labels: frozenset[str] = frozenset()

    @property
    def slug(self) -> str:
        """The competition's URL name."""
        return self.comp.slug

    @property
    def files(self) -> dict[str, Path]:
        """The files that a competitor may download, by their path in files/."""
        root = self.folder / "files"
        return {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file()}

    @property
    def hidden(self) -> Path | None:
        """The folder whose files replace those of the same name when a notebook is scored."""
        return self.folder / "hidden" if (self.folder / "hidden").is_dir() else None

    @property
    def topics(self) -> list[Path]:
        """The discussion topics: topics/<number>.md, whose first line is the title."""
        found = (self.folder / "topics").glob("*.md")
        return sorted(p for p in found if p.stem.isdecimal())

    @property
    def episodes(self) -> dict[int, Path]:
        """The folders of a simulation's episodes by their numbers."""
        found = (self.folder / "episodes").glob("*/replay.json")
        return {int(p.parent.name): p.parent for p in sorted(found) if p.parent.name.isdecimal()}

    @property
    def references(self) -> dict[str, Path]:
        """The reference entries of the leaderboard: team name -> csv."""
        found = {p.stem: p for p in sorted((self.folder / "references").glob("*.csv"))}
        sample = _sample_file(self.folder, self.comp)
        return {"sample submission": sample, **found} if sample.exists() else found


def read_bundles(folder: Path) -> dict[str, Bundle]:
    """Read every bundle in a folder, by slug. Raises ConfigError with file and problem."""
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is no folder. The sandbox serves a folder of bundles: "
            f"DIR/<slug>/ with {COMPETITION_FILE}, files/ and solution.csv."
        )
    files = sorted(folder.glob(f"*/{COMPETITION_FILE}"))
    if not files:
        raise ConfigError(
            f"{folder} contains no bundle. A bundle is a folder in it, named like the competition, "
            f"with {COMPETITION_FILE}, files/ and solution.csv."
        )
    return {file.parent.name: read_bundle(file.parent) for file in files}


def read_bundle(folder: Path) -> Bundle:
    """Read and check one bundle. Raises ConfigError with file and problem."""
    comp = read_competition(folder / COMPETITION_FILE)
    if not (folder / "files").is_dir():
        raise ConfigError(
            f"{folder / 'files'} does not exist. Put there what competitors download: "
            "train, test and sample submission."
        )
    solution = _read_solution(folder / "solution.csv", comp)
    labels = _read_labels(comp, folder, solution)
    file = _sample_file(folder, comp)
    sample = _read(file) if file.exists() else _make_sample(comp, solution, labels)
    _check_ids(folder, comp.id, sample, solution)
    grade, higher_is_better = _read_grade(comp)
    has_answers = set(comp.target) & set(solution) or set(sample.columns[1:]) <= set(solution)
    if grade is None and not has_answers:
        raise ConfigError(
            f"{folder / 'solution.csv'} has none of the target columns {', '.join(comp.target)}. "
            f"Its columns: {', '.join(solution.columns)}."
        )
    solution = _add_class_columns(comp, solution, sample, labels)
    bundle = Bundle(comp, folder, sample, solution, grade, higher_is_better, labels)
    _check_texts(bundle)
    return bundle


def _check_texts(bundle: Bundle) -> None:
    """Check the topics and the episodes, so that no request fails because of them later."""
    for file in (*bundle.topics, *(f / "replay.json" for f in bundle.episodes.values())):
        try:
            text = file.read_text(encoding="utf-8")
            if file.suffix == ".json" and not isinstance(json.loads(text)["rewards"], list):
                raise TypeError("rewards is not a list")
        except (ValueError, KeyError, TypeError) as e:
            expected = "a replay: a JSON object with a list of rewards"
            wanted = expected if file.suffix == ".json" else "text in UTF-8"
            raise ConfigError(f"{file} cannot be read; expected {wanted}, got {e!r}.") from e


def answer_kind(comp: Competition) -> str:
    """Return what the metric scores: label, probability, ...; label for a metric in grade.py."""
    try:
        return comp.scoring.wants
    except FastkaggleError:
        return "label"


def _sample_file(folder: Path, comp: Competition) -> Path:
    """Return the sample submission with the solution's ids: the one in hidden/, if it exists."""
    hidden = folder / "hidden" / comp.sample_submission
    return hidden if hidden.exists() else folder / "files" / comp.sample_submission


def _read(file: Path) -> pd.DataFrame:
    hint = "A bundle needs it: id, target column(s) and Usage = Public | Private for each test row."
    return read_text_csv(file, hint=hint, error=ConfigError)


def _read_solution(file: Path, comp: Competition) -> pd.DataFrame:
    solution = _read(file)
    usage = {c.lower(): c for c in solution.columns}.get("usage")
    if usage is None:
        raise ConfigError(
            f"{file} has no column Usage, which says Public or Private for each row. "
            f"Its columns: {', '.join(solution.columns)}."
        )
    solution = solution.rename(columns={usage: "Usage"})
    solution["Usage"] = solution["Usage"].str.strip().str.lower()
    if unknown := sorted(set(solution["Usage"]) - {"public", "private", "ignored"}):
        raise ConfigError(f"{file}: Usage = {unknown[0]!r} is not Public, Private or Ignored.")
    need_columns(solution, {"id": (comp.id,)}, file, comp.facts_file)
    ids = solution[comp.id]
    if ids.duplicated().any():
        first = ids[ids.duplicated()].iloc[0]
        raise ConfigError(f"{file}: the id {first!r} is there more than once.")
    return solution


def _read_labels(comp: Competition, folder: Path, solution: pd.DataFrame) -> frozenset[str]:
    target = comp.target[0]
    if comp.task == "regression" or target not in solution:
        return frozenset()
    labels = frozenset(solution[target])
    with contextlib.suppress(OSError, ValueError):  # a competition need not have a training csv
        file = folder / "files" / comp.train
        train = parse_rows(file, dtype=str, keep_default_na=False, usecols=[target])
        labels |= frozenset(train[target]) - {""}
    return labels


def _make_sample(comp: Competition, solution: pd.DataFrame, labels: frozenset[str]) -> pd.DataFrame:
    """Return the columns of a submission when there is no sample submission.

    They are the solution's columns, or one for each class for several probabilities.
    """
    if comp.task == "multiclass" and labels and answer_kind(comp) == "probability":
        return solution[[comp.id]].assign(**dict.fromkeys(sorted(labels), "0"))
    return solution.drop(columns="Usage")


def _check_ids(folder: Path, id: str, sample: pd.DataFrame, solution: pd.DataFrame) -> None:
    if sample.columns[0] != id:
        raise ConfigError(
            f"The first column of the sample submission of {folder.name} is "
            f"{sample.columns[0]!r}, and id = {id!r} in {COMPETITION_FILE}."
        )
    if different := sorted(set(sample[id]) ^ set(solution[id])):
        hint = ""
        if (folder / "hidden").is_dir() and set(sample[id]) < set(solution[id]):
            hint = (
                " Put a sample submission of all rows, also the hidden ones, "
                f"into {folder / 'hidden'}, next to the test file."
            )
        raise ConfigError(
            f"{folder / 'solution.csv'} and the sample submission have other ids: "
            f"{len(different)} are in one of them only, like {different[0]!r}.{hint}"
        )


def _read_grade(comp: Competition) -> tuple[Grade | None, bool]:
    """Return (function of grade.py, whether higher is better); None when a metric is named."""
    module = comp.module("grade")
    if module is None:
        return None, comp.scoring.higher_is_better
    grade = getattr(module, "grade", None)
    if not callable(grade):
        raise ConfigError(
            f"{module.__file__} has no function grade(submission, solution) -> float. "
            "Write one, or remove the file and name a metric."
        )
    return grade, bool(getattr(module, "higher_is_better", True))


def _add_class_columns(
    comp: Competition, solution: pd.DataFrame, sample: pd.DataFrame, labels: frozenset[str]
) -> pd.DataFrame:
    """Add a 0/1 column for each class if the sample names it differently: Status_C for C."""
    classes, columns = sorted(labels), list(sample.columns[1:])
    found = columns_of_classes(classes, columns) if len(columns) > 1 and classes else None
    if found is None or set(columns) & set(solution.columns) or set(columns) == set(classes):
        return solution
    target = solution[comp.target[0]]
    for column, label in zip(found, classes, strict=True):
        solution = solution.assign(**{column: (target == label).astype(int).astype(str)})
    return solution
