"""Competition: the facts of competition.toml, where to find one, and how to read its data."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import tomllib
import traceback
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from .data import Data
from .exceptions import ConfigError, DataError, FastkaggleError, UnknownName
from .metrics import METRICS, get_metric

FACTS = "competition.toml"


def _as_tuple(value: Any) -> Any:
    """One name, or the names of a TOML list."""
    return (
        (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
    )


Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_tuple)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Split(_Facts):
    """How to validate, and how the organisers held rows out."""

    kind: Literal["random", "stratified", "group", "stratified-group", "time"] = "random"
    column: str = ""  # the group or time column

    @model_validator(mode="after")
    def _has_column(self) -> Split:
        if self.kind in ("group", "stratified-group", "time") and not self.column:
            raise ValueError(
                f"kind = {self.kind!r} needs `column`, the name of the group or time column"
            )
        return self


class Images(_Facts):
    """Where the images are."""

    train_folder: str = "train_images"
    test_folder: str = "test_images"
    name: str = "{id}"  # file name from the id; other columns of train.csv may be used, as in "{label}/{image_id}"


class Text(_Facts):
    """Which columns are read as text."""

    columns: Names = ()  # (): those that look like it
    context: str = ""  # column that says what the texts are about


class SandboxFacts(_Facts):
    """What only the sandbox heeds."""

    rules_accepted: bool = True
    max_daily_submissions: int | None = Field(default=None, ge=0)
    deadline: str | None = None  # ISO 8601, UTC

    @field_validator("deadline")
    @classmethod
    def _is_a_date(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value


class Competition(_Facts):
    """A competition's facts, the same in a competition folder and in a sandbox bundle."""

    slug: str
    title: str = ""
    kind: Literal["tabular", "images", "text"] = "tabular"
    task: Literal["binary", "multiclass", "regression"]
    metric: str
    id: str = Field(min_length=1)
    target: Names = Field(min_length=1)
    train: str = "train.csv"
    test: str = "test.csv"
    sample_submission: str = "sample_submission.csv"
    code_competition: bool = False
    url: str = ""
    max_daily_submissions: int = Field(10, ge=0)
    split: Split = Split()
    images: Images | None = None
    text: Text | None = None
    sandbox: SandboxFacts = SandboxFacts()
    folder: Path | None = Field(None, repr=False)  # where it was found

    @model_validator(mode="after")
    def _fits_together(self) -> Competition:
        if self.id in self.target:
            raise ValueError(
                f"id and target both name {self.id!r}: one joins the rows, the other is predicted"
            )
        if self.task != "regression" and len(self.target) > 1:
            raise ValueError(
                f'task = {self.task!r} takes one target column, and {len(self.target)} are named; several need task = "regression"'
            )
        if twice := [t for t in self.target if self.target.count(t) > 1]:
            raise ValueError(f"target names {twice[0]!r} twice: name each column once")
        if self.split.column and self.split.column in self.target:
            raise ValueError(
                f"[split] column = {self.split.column!r} is the target: split by a column that the test rows have too"
            )
        return self

    @property
    def page(self) -> str:
        """The competition's page."""
        return self.url or f"https://www.kaggle.com/competitions/{self.slug}"

    @property
    def facts_file(self) -> str:
        """Where the facts stand, for messages."""
        return str(self.folder / FACTS) if self.folder else FACTS

    def module(self, name: str) -> ModuleType | None:
        """Return `name`.py of the competition's folder, imported, or None when there is none."""
        file = self.folder and self.folder / f"{name}.py"
        if not file or not file.exists():
            return None
        full = f"competitions.{self.slug.replace('-', '_')}.{name}@{file}@{file.stat().st_mtime_ns}"  # an edited file is a new module
        if full not in sys.modules:
            spec = importlib.util.spec_from_file_location(full, file)
            assert spec and spec.loader  # a .py file always has both
            module = sys.modules[full] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except BaseException as e:
                del sys.modules[full]
                if not isinstance(e, Exception) or isinstance(e, FastkaggleError):
                    raise
                raise ConfigError(
                    f"{file} does not load ({_last_line(e, file)}). Mend it, or take it away to go on without."
                ) from e
        return sys.modules[full]

    def read(self, path: str | Path) -> Data:
        """Read the data in `path`: with the folder's data.py, else by the facts alone. Raises DataError."""
        if (own := self.module("data")) is not None:
            return self._read_with(own, Path(path))
        return self.read_files(path)

    def _read_with(self, own: ModuleType, path: Path) -> Data:
        file = own.__file__
        if not callable(getattr(own, "read", None)):
            raise ConfigError(
                f"{file} has no function read(path). Write one that returns a Data, or take the file away to read by the facts alone."
            )
        try:
            data = own.read(path)
        except FastkaggleError:
            raise
        except Exception as e:
            raise DataError(
                f"{file}: read() failed ({_last_line(e, Path(str(file)))}) on the data in {path}."
            ) from e
        if not isinstance(data, Data):
            raise ConfigError(
                f"{file}: read() must return a Data, and {type(data).__name__} came. End it with `return data`."
            )
        return data if data.metric else dataclasses.replace(data, metric=self.metric)

    def read_files(self, path: str | Path) -> Data:
        """Read the data in `path` by the facts alone. Raises DataError."""
        facts: dict[str, Any] = dict(
            id=self.id,
            target=self.target,
            task=self.task,
            metric=self.metric,
            train=self.train,
            test=self.test,
            sample_submission=self.sample_submission,
            group_column=self.split.column if self.split.kind.endswith("group") else "",
            time_column=self.split.column if self.split.kind == "time" else "",
            facts_file=self.facts_file,
        )
        if self.kind == "images":
            from .reading.images import read_images

            return read_images(path, **(self.images or Images()).model_dump(), **facts)
        if self.kind == "text":
            from .reading.text import read_text

            return read_text(path, **(self.text or Text()).model_dump(), **facts)
        from .reading import read_tabular

        return read_tabular(path, **facts)


def read_competition(file: str | Path) -> Competition:
    """Read a competition.toml; the folder's name is the slug. Raises ConfigError naming file, key, what came and what is allowed."""
    file = Path(file).resolve()
    try:
        facts = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise ConfigError(
            f"{file} is not there. A competition is a folder with a {FACTS} in it; `fkp new SLUG` writes one."
        ) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{file} is not valid TOML: {e}") from e
    if reserved := {"slug", "folder"} & facts.keys():
        raise ConfigError(
            f"{file}: {reserved.pop()!r} is not a key: the folder's name is the slug. Take it out."
        )
    try:
        comp = Competition(**facts, slug=file.parent.name, folder=file.parent)
    except ValidationError as e:
        raise ConfigError("\n".join(_explain(file, problem) for problem in e.errors())) from e
    if not (file.parent / "grade.py").exists():
        _check_metric(comp, file)
    return comp


def load_comp(
    slug: str | Path,  # the URL name, or the path of a competition's folder
    *,
    bundles: str | Path | None = None,  # folder of sandbox bundles to fall back on
) -> Competition:
    """Find a competition in ./competitions, the current folder, the installed package, or `bundles`. Raises UnknownName, ConfigError."""
    if bundles and not Path(bundles).is_dir():
        raise ConfigError(
            f"{bundles} is no folder. Give one of sandbox bundles: DIR/<slug>/ with {FACTS}, files/ and solution.csv."
        )
    is_path = (
        isinstance(slug, Path) or Path(slug).name != slug
    )  # a bare name is looked for in order
    if is_path and str(slug) and (Path(slug) / FACTS).exists():
        return read_competition(Path(slug) / FACTS)
    folders = _folders()
    if bundles:  # last, also when it is the current folder: a bundle has the facts, a competition's folder the features and trials too
        folders = [*(f for f in folders if f.resolve() != Path(bundles).resolve()), Path(bundles)]
    for folder in folders:
        if (folder / str(slug) / FACTS).exists():
            return read_competition(folder / str(slug) / FACTS)
    known = {
        p.parent.name
        for folder in folders
        for p in folder.glob(f"*/{FACTS}")
        if not p.parent.name.startswith("_")
    }
    raise UnknownName("competition", str(slug), known, f"Add one with `fkp new {slug}`.")


def list_comps() -> list[Competition]:
    """Return every competition that `load_comp` finds by its slug, the built-in ones included; the nearest folder wins."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for file in sorted(folder.glob(f"*/{FACTS}")):
            if not file.parent.name.startswith("_"):
                found.setdefault(file.parent.name, file)
    return [read_competition(file) for _, file in sorted(found.items())]


def builtin_folder() -> Path:
    """Return the folder of the built-in competitions: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "competitions"
    return inside if inside.is_dir() else package.parent / "competitions"


def _folders() -> list[Path]:
    return [Path.cwd() / "competitions", Path.cwd(), builtin_folder()]


def _check_metric(comp: Competition, file: Path) -> None:
    try:
        wants = get_metric(comp.metric).wants
    except UnknownName as e:
        raise ConfigError(
            f"{file}: metric = {comp.metric!r}. {e} For another metric of a sandbox bundle put a grade.py beside it."
        ) from e
    fits = {
        "value": comp.task == "regression",
        "probability": comp.task != "regression",
        "ranking": comp.task == "multiclass",
    }
    if not fits.get(wants, True):
        allowed = [m.name for m in METRICS.values() if fits.get(m.wants, True)]
        raise ConfigError(
            f"{file}: metric = {comp.metric!r} scores {_SCORES[wants]}, which task = {comp.task!r} does not give. "
            f"Change the task, or the metric to one of: {', '.join(allowed)}."
        )


def _last_line(e: Exception, file: Path) -> str:
    """The error in one line, with the line of the file it came from."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(e.__traceback__)
        if Path(frame.filename) == file
    ]
    line = e.lineno if isinstance(e, SyntaxError) else lines[-1] if lines else None
    return f"{type(e).__name__}: {e.msg if isinstance(e, SyntaxError) else e}" + (
        f", line {line}" if line else ""
    )


def _explain(file: Path, problem: Any) -> str:
    """One line per mistake: file, key, what came, what is allowed."""
    problem["input"] = (
        list(problem["input"]) if isinstance(problem["input"], tuple) else problem["input"]
    )  # as TOML has it
    *where, key = [str(p) for p in problem["loc"] if not isinstance(p, int)] or [""]
    section = f"[{'.'.join(where)}] " if where else ""
    came = f"{section}{key} = {_shown(problem['input'])}"
    if problem["type"] == "extra_forbidden":
        known = sorted(
            set(
                _SECTIONS.get(where[0], Competition).model_fields
                if where
                else Competition.model_fields
            )
            - {"slug", "folder"}
        )
        near = get_close_matches(key, known, n=1, cutoff=0.5)
        return (
            f"{file}: unknown key {came}."
            + (f" Did you mean {near[0]!r}?" if near else "")
            + f" Allowed: {', '.join(known)}."
        )
    if problem["type"] == "missing":
        return f"{file}: the key {section}{key} is missing. Say, for example, {key} = {_EXAMPLES.get(key, '...')!r}."
    if problem["type"] == "literal_error":
        allowed = problem["ctx"]["expected"]
        near = get_close_matches(
            str(problem["input"]),
            [a.strip(" '") for a in allowed.replace(" or ", ",").split(",")],
            n=1,
            cutoff=0.5,
        )
        return f"{file}: {came} is not one of {allowed}." + (
            f" Did you mean {near[0]!r}?" if near else ""
        )
    if problem["type"] == "value_error" and not key:
        return f"{file}: {problem['ctx']['error']}."
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        return f"{file}: [{'.'.join([*where, key])}] {problem['ctx']['error']}."
    if problem["type"] == "model_type":
        return f"{file}: {came}, and {key} is a section. Write [{key}] and its keys below it: {', '.join(_SECTIONS[key].model_fields)}."
    said = _SAID.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{file}: {came} ({type(problem['input']).__name__}): {said[:1].lower()}{said[1:]}."


def _shown(value: Any) -> str:
    return "{...}" if isinstance(value, dict) else repr(value)


_SECTIONS: dict[str, type[_Facts]] = {
    "split": Split,
    "images": Images,
    "text": Text,
    "sandbox": SandboxFacts,
}
_SAID = {
    "tuple_type": "a name or a list of names is needed",
    "too_short": "name at least one",
    "string_too_short": "an empty name; write the column's",
}
_SCORES = {
    "value": "numbers",
    "probability": "class probabilities",
    "ranking": "several labels a row, best first",
}
_EXAMPLES = {"task": "binary", "metric": "accuracy", "id": "PassengerId", "target": "Survived"}
