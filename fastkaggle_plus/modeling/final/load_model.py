"""load_model: check the folder of a final model, then load it. No pickle, no code unless asked."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from ...exceptions import DataError, FastkaggleError, listed, needs_extra
from .final_card import ModelCard
from .final_model import FinalModel
from .graph_reader import GraphReader
from .kept_code import CODE, read_code
from .write_folder import CARD, FORMAT, GRAPH, MODEL, file_hash, hash_of, versions

_EXTRAS = {"images": "vision", "texts": "text", "table": "tabular"}


class VersionsDiffer(UserWarning):
    """A package has another version than the one a model was saved with."""


def load_model(
    folder: str | Path,  # that `FinalModel.save` wrote, wherever it is now
    *,
    run_code: bool = False,  # run the competition's own code, the files in `card.code`
) -> FinalModel:
    """Read a final model. The training data is not needed, nor a network.

    Nothing is unpickled, and code of the folder runs only with `run_code`. Raises DataError with
    the reason for a folder that is damaged, of another kind or of a newer format, and MissingExtra
    with the install line. Warns (VersionsDiffer) if a package has another version.
    """
    folder = Path(folder).resolve()
    facts = _checked_facts(folder)
    card = _card(facts, folder)
    different = _different_versions(card)
    own_code = read_code(folder / CODE, card.code, run_code=run_code)
    try:
        with needs_extra(_EXTRAS[card.kind]):
            kept = GraphReader(folder, own_code).decode(json.loads((folder / GRAPH).read_text()))
    except FastkaggleError:
        raise
    except Exception as e:  # each library raises its own errors
        why = f" {different}" if different else ""
        raise DataError(
            f"{folder} does not load ({type(e).__name__}: {e}).{why} Install the versions that "
            f"{CARD} names, or save the model again."
        ) from e
    if different:
        warnings.warn(different, VersionsDiffer, stacklevel=2)
    return FinalModel(card, kept["members"], kept["new_rows"])


def _checked_facts(folder: Path) -> dict[str, Any]:
    """Return model.json, after all files are checked. Raises DataError."""
    file = folder / MODEL
    if not file.is_file():
        raise DataError(
            f"{folder} has no {MODEL}, so it is no saved model. Give the folder that "
            "`FinalModel.save` or `fkp export` wrote."
        )
    try:
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found, format = facts.pop("sha256", ""), facts["format"]
    except (ValueError, KeyError, TypeError) as e:
        raise DataError(f"{file} is damaged ({e}). Copy the folder again.") from e
    if format != FORMAT:
        raise DataError(
            f"{file} has format {format}; this version of fastkaggle_plus reads {FORMAT}. "
            "Update fastkaggle_plus, or save the model again."
        )
    if found != hash_of(facts):
        raise DataError(f"{file} was changed after it was saved. Copy the folder again.")
    for name, digest in facts["files"].items():
        path = (folder / name).resolve()
        if folder not in path.parents or not path.is_file():
            raise DataError(f"{folder} lacks {name}. Copy the whole folder again.")
        if file_hash(path) != digest:
            raise DataError(
                f"{path} is damaged: its hash is not the one in {MODEL}. Copy it again."
            )
    return facts


def _card(facts: dict[str, Any], folder: Path) -> ModelCard:
    try:
        return ModelCard.from_json(facts["card"])
    except (KeyError, TypeError) as e:
        raise DataError(
            f"The card in {folder / MODEL} is not one of this version of fastkaggle_plus ({e}). "
            "Install the version that the model was saved with, or save it again."
        ) from e


def _different_versions(card: ModelCard) -> str:
    """Return which packages have another version than the model was saved with, "" for none."""
    here = versions(set(card.versions) - {"python", "fastkaggle_plus"})
    pairs = [(name, v, here[name]) for name, v in card.versions.items() if name in here]
    different = [
        f"{name} {v} (here {now})"
        for name, v, now in pairs
        if v.split(".")[:2] != now.split(".")[:2]
    ]
    return f"The model was saved with {listed(different, 8)}." if different else ""
