"""The card of a final model: what it is, what it was made of, and how good it was."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...ui.records import Shown, joined


@dataclass(frozen=True, repr=False)
class ModelCard(Shown):
    """Facts about a final model, as plain data: `model.json` has them for code."""

    slug: str
    title: str
    task: str  # binary | multiclass | regression
    metric: str
    kind: str  # images | table | texts: the rows that it takes
    columns: dict[str, str]  # name -> dtype, of those rows
    vocab: tuple[Any, ...]  # class labels, in the order of the columns of a prediction
    targets: tuple[str, ...]  # names
    cv_score: float | None  # None: it was not cross-validated
    cv_error: float | None  # standard error of the CV score
    model: str
    made: str  # "refit on 891 rows", "5 models of 5 folds"
    params: dict[str, Any]
    n_rows: int  # training rows
    choices: dict[str, list[Any]]  # levels of each category
    examples: list[dict[str, Any]]  # test rows, as the model takes them
    typical: dict[str, Any]  # column -> its median or most frequent value
    versions: dict[str, str]  # of the packages it was made with
    date: str
    code: dict[str, str] = field(default_factory=dict)  # file of own code -> its SHA-256
    notes: tuple[str, ...] = ()  # what to know before using it

    @property
    def code_hash(self) -> str:
        """One hash of all files of own code, "" without any."""
        return "-".join(digest[:8] for digest in self.code.values())

    def _facts(self) -> dict[str, object]:
        score = "not cross-validated" if self.cv_score is None else f"{self.cv_score:.4f}"
        return {
            "model": self.model,
            "made": self.made,
            "competition": self.title or self.slug,
            "predicts": f"{joined(self.targets)}: {joined(self.vocab) or 'values'}",
            "takes": f"{self.kind}: {joined(list(self.columns), most=12)}",
            "CV score": score + (f" ± {self.cv_error:.4f} {self.metric}" if self.cv_error else ""),
            "date": self.date,
            "own code": joined(list(self.code)),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> ModelCard:
        """Read what `to_json` returned."""
        tuples = {name: tuple(facts[name]) for name in ("vocab", "targets", "notes")}
        return cls(**{**facts, **tuples})

    def to_markdown(self, files: dict[str, str]) -> str:
        """Return the text of model_card.md; `files` maps each file to its SHA-256."""
        facts = "\n".join(f"| {name} | {value} |" for name, value in self._table_facts())
        rows = "\n".join(f"| `{name}` | {dtype} |" for name, dtype in self.columns.items())
        notes = "".join(f"- {note}\n" for note in self.notes)
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        kept = "\n".join(f"| `{name}` | `{digest[:16]}` |" for name, digest in files.items())
        return (
            f"# {self.title or self.slug or 'A model'}: {self.model}\n\n"
            f"| | |\n|---|---|\n{facts}\n\n"
            "## Use it\n\n```python\nfrom fastkaggle_plus.modeling import load_model\n\n"
            f'model = load_model("."{", run_code=True" if self.code else ""})\n'
            f"model.predict{_EXAMPLES[self.kind]}\n```\n\n"
            f"## The rows it takes\n\n| column | type |\n|---|---|\n{rows}\n\n"
            f"## What to know\n\n{notes}- It was made with {versions}.\n\n"
            f"## Files\n\n| file | SHA-256 |\n|---|---|\n{kept}\n"
        )


_EXAMPLES = {
    "images": '(["photo.jpg"])',
    "texts": "(rows)  # a data frame with the columns below, or a list of pairs of strings",
    "table": "(rows)  # a data frame with the columns below",
}
