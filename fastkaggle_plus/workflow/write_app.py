"""Write a saved model as a Gradio app, in the layout of a hosted Space."""

from __future__ import annotations

import filecmp
import json
import shutil
import sys
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from ..exceptions import ConfigError, needs_extra
from ..files import write_atomically
from .installed import required_packages

if TYPE_CHECKING:
    from ..modeling import ModelCard

_LIBRARY = Path(__file__).resolve().parents[1]
_MOST_CHOICES = 200  # of a column, for a list to choose from; with more it is a text field


def write_app(
    model: str | Path,  # a folder that FinalModel.save wrote
    to: str | Path | None = None,  # the app's folder; default: MODEL-app, next to the model
    *,
    run_code: bool = False,  # as in load_model: run the competition's own code, also in the app
) -> Path:
    """Write an app that asks a saved model from a web page, and return its folder.

    It contains app.py, requirements.txt with the versions on this machine, README.md with the
    settings of a Hugging Face Space, the model, and a copy of this library. The model's examples
    are on the page. An app of the same model is kept as it is, with your changes.

    Raises MissingExtra without gradio, ConfigError if the folder has an app of another model, and
    what load_model raises.
    """
    from ..modeling import load_model  # imports torch

    source = Path(model).resolve()
    card = load_model(source, run_code=run_code).card
    folder = source.with_name(f"{source.name}-app") if to is None else Path(to)
    if folder.resolve().is_relative_to(source):
        raise ConfigError(f"Cannot write {folder}: it is inside the model. Give another folder.")
    if (folder / "app.py").exists():
        _check_same(source, folder)
        return folder
    with needs_extra("app"):
        versions = _versions(card)
    facts = {
        "about": (source / "model_card.md").read_text(encoding="utf-8").strip(),
        "card": card,
        "examples": [
            [_as_input(example.get(column)) for column in card.columns] for example in card.examples
        ],
        "fields": [_field(card, column) for column in card.columns],
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "score": _score(card),
        "title": card.title or card.slug or card.model,
        "versions": versions,
    }
    shutil.copytree(source, folder / "model", dirs_exist_ok=True)
    unused = shutil.ignore_patterns("__pycache__", "competitions")
    shutil.copytree(_LIBRARY, folder / _LIBRARY.name, ignore=unused, dirs_exist_ok=True)
    pins = [f"{name}=={number}\n" for name, number in versions.items()]
    write_atomically(folder / "requirements.txt", "".join(pins))
    write_atomically(folder / "README.md", _filled("space.md.jinja", facts))
    write_atomically(folder / "app.py", _filled("app.py.jinja", facts))  # last: it marks the end
    return folder


def _check_same(source: Path, folder: Path) -> None:
    """Raise ConfigError if an app that exists has another model."""
    copy = folder / "model" / "model.json"
    if not copy.exists() or not filecmp.cmp(source / copy.name, copy, shallow=False):
        raise ConfigError(
            f"Cannot write {folder}: it has an app of another model, which may have your changes. "
            "Remove it, or write to another folder."
        )


def _versions(card: ModelCard) -> dict[str, str]:
    """Return the packages that the app needs, by name, with their versions on this machine."""
    required = (*required_packages(), *required_packages("keep"))
    names = {"gradio", *card.versions, *(r.name for r in required)}
    needed = sorted(names - {"pip", "python", _LIBRARY.name}, key=str.lower)
    return {name: version(name).partition("+")[0] for name in needed}


def _score(card: ModelCard) -> str:
    if card.cv_score is None:
        return "This model was not cross-validated."
    error = "" if card.cv_error is None else f" ± {card.cv_error:.4f}"
    return f"CV score of this model: {card.metric} {card.cv_score:.4f}{error}."


def _field(card: ModelCard, column: str) -> str:
    """Return the field of the form for a column, as code."""
    choices, kind = card.choices.get(column, []), card.columns[column].lower()
    facts = f"label={_code(column)}"
    if (value := next((_as_input(row.get(column)) for row in card.examples), None)) is not None:
        facts = f"value={_code(value)}, {facts}"
    if kind.startswith("bool"):
        return f"gr.Checkbox({facts})"
    if 0 < len(choices) <= _MOST_CHOICES:
        return f"gr.Dropdown({choices!r}, {facts}, allow_custom_value=True)"
    if kind.startswith(("int", "uint", "float")):
        return f"gr.Number({facts})"
    return f"gr.Textbox({facts})"


def _as_input(value: Any) -> Any:
    """Return a value as a field shows it: a missing one is None."""
    return None if value != value else value  # NaN differs from itself


def _code(value: Any) -> str:
    """Return a value as Python code, a text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _filled(template: str, facts: dict[str, Any]) -> str:
    """Return a template of this folder with these facts."""
    env = Environment(keep_trailing_newline=True)  # its results are Python and Markdown, not HTML
    env.filters["code"] = _code
    text = resources.files(__package__).joinpath(template).read_text(encoding="utf-8")
    return env.from_string(text).render(facts)
