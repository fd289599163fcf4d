"""Write a saved model as a Gradio app, in the layout of a hosted Space."""

from __future__ import annotations

import filecmp
import shutil
import sys
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigError, DataError, MissingExtra, listed
from ..files import write_atomically
from .installed import required_packages

if TYPE_CHECKING:
    import pandas as pd

_LIBRARY = Path(__file__).resolve().parents[1]
_MODEL, _EXAMPLES = "model", "examples"  # folders of the app
_MOST_EXAMPLES = 6
_MOST_CHOICES = 30  # of a column, for a list to choose from; a text field with more


def write_app(
    model: str | Path,  # a folder that FinalModel.save wrote
    to: str | Path | None = None,  # the app's folder; default: MODEL-app, in the same folder
    *,
    examples: str | Path | None = None,  # a folder of photographs, or a table of rows, to try
) -> Path:
    """Write an app that asks a saved model from a web page, and return its folder.

    The folder contains app.py, requirements.txt with the versions of this machine, README.md with
    the settings of a Hugging Face Space, the model, a few examples and a copy of this library. An
    app that has the same model already is kept as it is. The examples become a part of the app: do
    not publish photographs or rows that are not yours to publish.

    Raises MissingExtra without gradio, ConfigError if the folder has an app of another model, and
    DataError for examples that the model cannot read.
    """
    from ..modeling import load_model  # imports torch

    source = Path(model)
    card = load_model(source).card
    folder = Path(to) if to is not None else source.resolve().with_name(f"{source.resolve().name}-app")
    if (folder / "app.py").exists():
        if not filecmp.cmp(source / "model.json", folder / _MODEL / "model.json", shallow=False):
            raise ConfigError(
                f"Cannot write {folder}: it has an app of another model, which may have your "
                "changes. Remove it, or write to another folder."
            )
        return folder
    versions = _versions(card)
    ...
    return folder
