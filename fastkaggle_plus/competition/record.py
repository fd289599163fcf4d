"""Competition: what competition.toml says, and how its data is read."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import Field, model_validator

from ..data import Data
from ..exceptions import ConfigError, DataError, FastkaggleError, error_in_one_line
from ..metrics import Metric, get_metric, own_metric
from ..ui.records import Row, Shown, joined
from .own_files import importable
from .settings import Facts, Images, Names, SandboxFacts, Split, Text

COMPETITION_FILE = "competition.toml"
_OWN_METRIC_FILE = re.compile(r"(?!(data|trials|notebook|rehearsal)\.)\w+\.py")


class Competition(Shown, Row, Facts):
    """The settings of a competition.toml, in a competition's folder or in a sandbox bundle."""

    slug: str
    title: str = ""
    kind: Literal["tabular", "images", "text"] = "tabular"
    task: Literal["binary", "multiclass", "regression"]
    metric: str  # a name in metrics/, or a file of the folder: metric.py
    id: str = Field(min_length=1)
    target: Names = Field(min_length=1)
    train: str = "train.csv"
    test: str = "test.csv"
    sample_submission: str = "sample_submission.csv"
    code_competition: bool = False
    url: str = ""
    max_daily_submissions: int = Field(10, ge=0)
    public_share: float | None = Field(None, gt=0, lt=1)  # of the test rows, scored in public
    split: Split = Split()
    images: Images | None = None
    text: Text | None = None
    sandbox: SandboxFacts = SandboxFacts()
    folder: Path | None = None  # the folder of the competition.toml

    @model_validator(mode="after")
    def _fits_together(self) -> Competition:
        if self.id in self.target:
            raise ValueError(
                f"id and target both name {self.id!r}: one joins the rows, the other is predicted"
            )
        if self.task != "regression" and len(self.target) > 1:
            raise ValueError(
                f"task = {self.task!r} takes one target column, and {len(self.target)} are named; "
                'several need task = "regression"'
            )
        if repeated := [t for t in self.target if self.target.count(t) > 1]:
            raise ValueError(f"target names {repeated[0]!r} twice: name each column once")
        if self.split.column and self.split.column in self.target:
            raise ValueError(
                f"[split] column = {self.split.column!r} is the target: "
                "split by a column that the test rows have too"
            )
        return self

    def _facts(self) -> dict[str, object]:
        return {
            "slug": self.slug,
            "title": self.title,
            "kind": f"{self.kind}, {self.task}",
            "metric": self.metric,
            "target": joined(self.target),
            "id": self.id,
            "split": " ".join(filter(None, (self.split.kind, self.split.column))),
            "code competition": "yes" if self.code_competition else "",
            "folder": self.folder,
        }

    def as_row(self) -> dict[str, object]:
        """Return slug, kind, task, metric and folder."""
        names = ("slug", "kind", "task", "metric", "folder")
        return {name: getattr(self, name) for name in names}

    @property
    def page(self) -> str:
        """The competition's web page."""
        return self.url or f"https://www.kaggle.com/competitions/{self.slug}"

    @property
    def facts_file(self) -> str:
        """The path of the competition.toml, for messages."""
        return str(self.folder / COMPETITION_FILE) if self.folder else COMPETITION_FILE

    @property
    def own_metric_file(self) -> str:
        """The name of the folder's file with the metric, "" if the metric has a name."""
        return self.metric if _OWN_METRIC_FILE.fullmatch(self.metric) else ""

    @property
    def scoring(self) -> Metric:
        """The metric that scores this competition. Raises ConfigError, UnknownName."""
        if not self.own_metric_file:
            return get_metric(self.metric, task=self.task)
        if (module := self.module(self.metric.removesuffix(".py"))) is None:
            raise ConfigError(
                f"The competition's folder has no {self.metric}. Write it, with score(targs, "
                "preds), higher_is_better and wants; or name a metric."
            )
        return get_metric(own_metric(module), task=self.task)

    def test_name(self, path: str | Path) -> str:
        """Return the name of what lists the test rows in `path`: a file, or a folder of images.

        Without the test file, an image competition needs only the ids of the sample submission, or
        the images of the test folder.
        """
        names = [self.test]
        if self.kind == "images":
            names += [self.sample_submission, (self.images or Images()).test_folder]
        return next((name for name in names if (Path(path) / name).exists()), self.test)

    def module(self, name: str) -> ModuleType | None:
        """Import `name`.py of the competition's folder; return None if there is none.

        The file may import other files of the folder, by their names.
        """
        file = self.folder and self.folder / f"{name}.py"
        if not file or not file.exists():
            return None
        # an edited file is a new module, as is a file that may import an edited one
        version = hash(tuple(f.stat().st_mtime_ns for f in sorted(file.parent.glob("*.py"))))
        full = f"competitions.{self.slug.replace('-', '_')}.{name}@{file}@{version}"
        if full in sys.modules:
            return sys.modules[full]
        spec = importlib.util.spec_from_file_location(full, file)
        assert spec and spec.loader  # a .py file always has both
        module = sys.modules[full] = importlib.util.module_from_spec(spec)
        try:
            with importable(file.parent):
                spec.loader.exec_module(module)
        except BaseException as e:
            del sys.modules[full]
            if not isinstance(e, Exception) or isinstance(e, FastkaggleError):
                raise
            advice = ", or remove it to continue without it" if file.name != self.metric else ""
            raise ConfigError(
                f"{file} does not load ({error_in_one_line(e, file)}). Correct it{advice}."
            ) from e
        return module

    def read(
        self,
        path: str | Path,  # the data folder
        *,
        cleaned: bool = True,  # apply cleaning.csv, see `apply_cleaning`
    ) -> Data:
        """Read the data, with the folder's data.py if it has one. Raises DataError."""
        own = self.module("data")
        data = self.read_files(path) if own is None else self._read_with(own, Path(path))
        if not cleaned:
            return data
        from ..reading.cleaning import cleaned_data

        return cleaned_data(data, path, self.folder, target=self.target[0])

    def _read_with(self, own: ModuleType, path: Path) -> Data:
        file = Path(str(own.__file__))
        if not callable(getattr(own, "read", None)):
            raise ConfigError(
                f"{file} has no function read(path). Write one that returns a Data, "
                f"or remove the file to read the data as {COMPETITION_FILE} says."
            )
        try:
            data = own.read(path)
        except FastkaggleError:
            raise
        except Exception as e:
            raise DataError(
                f"{file}: read() failed ({error_in_one_line(e, file)}) on the data in {path}."
            ) from e
        if not isinstance(data, Data):
            raise ConfigError(
                f"{file}: read() must return a Data, got {type(data).__name__}. "
                "End it with `return data`."
            )
        return data if data.metric else dataclasses.replace(data, metric=self._data_metric)

    @property
    def _data_metric(self) -> str | Metric:
        return self.scoring if self.own_metric_file else self.metric

    def read_files(self, path: str | Path) -> Data:
        """Read the data without data.py and cleaning.csv. Raises DataError."""
        from ..reading import read_tabular
        from ..reading.images import read_images
        from ..reading.text import read_text

        facts: dict[str, Any] = dict(
            id=self.id,
            target=self.target,
            task=self.task,
            metric=self._data_metric,
            train=self.train,
            test=self.test_name(path),
            sample_submission=self.sample_submission,
            group_column=self.split.column if self.split.kind.endswith("group") else "",
            time_column=self.split.column if self.split.kind == "time" else "",
            facts_file=self.facts_file,
        )
        if self.kind == "images":
            return read_images(path, **(self.images or Images()).model_dump(), **facts)
        if self.kind == "text":
            return read_text(path, **(self.text or Text()).model_dump(), **facts)
        return read_tabular(path, **facts)
