"""The folder of a final model: write it in one step; check it before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import warnings
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ... import __version__
from ...exceptions import DataError, FastkaggleError, listed, needs_extra
from .final_card import ModelCard
from .final_model import FinalModel
from .kept_code import CODE, KeptCode, read_code
from .object_graph import GraphReader, GraphWriter

MODEL, GRAPH, CARD = "model.json", "graph.json", "model_card.md"
FORMAT = 1  # raise it when an older version could not read the folder
_EXTRAS = {"images": "vision", "texts": "text", "table": "tabular"}


class VersionsDiffer(UserWarning):
    """A package has another version than the one a model was saved with."""


def save_model(final: FinalModel, folder: Path) -> Path:
    """Write a final model into a folder. Raises DataError."""
    if folder.exists() and not (folder / MODEL).is_file() and any(folder.iterdir()):
        raise DataError(f"{folder} has other files. Give a new folder, or one that has a model.")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with needs_extra("keep"):
            _write(final, part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _write(final: FinalModel, folder: Path) -> None:
    code = KeptCode()
    writer = GraphWriter(folder, code.file_of)
    graph = writer.encode({"members": final.members, "new_rows": final.new_rows})
    writer.close()
    (folder / GRAPH).write_text(json.dumps(graph))
    code.write(folder / CODE)
    examples = _copy_examples(final.card.examples, folder)
    files = {
        f.relative_to(folder).as_posix(): _hash(f) for f in sorted(folder.rglob("*")) if f.is_file()
    }
    card = replace(
        final.card,
        examples=examples,
        versions=_versions(writer.packages),
        code={f: files[f] for f in files if f.startswith(f"{CODE}/")},
        notes=code.notes(final.members),
    )
    facts: dict[str, Any] = {"format": FORMAT, "card": card.to_json(), "files": files}
    facts = json.loads(json.dumps(facts, default=str))
    facts["sha256"] = _hash_of(facts)
    (folder / MODEL).write_text(json.dumps(facts, indent=2) + "\n")
    (folder / CARD).write_text(card.to_markdown(files))


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
    except (ValueError, KeyError, AttributeError) as e:
        raise DataError(f"{file} is damaged ({e}). Copy the folder again.") from e
    if format != FORMAT:
        raise DataError(
            f"{file} has format {format}; this version of fastkaggle_plus reads {FORMAT}. "
            "Update fastkaggle_plus, or save the model again."
        )
    if found != _hash_of(facts):
        raise DataError(f"{file} was changed after it was saved. Copy the folder again.")
    for name, digest in facts["files"].items():
        path = (folder / name).resolve()
        if folder not in path.parents or not path.is_file():
            raise DataError(f"{folder} lacks {name}. Copy the whole folder again.")
        if _hash(path) != digest:
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
    here = _versions(set(card.versions) - {"python", "fastkaggle_plus"})
    pairs = [(name, v, here[name]) for name, v in card.versions.items() if name in here]
    different = [
        f"{name} {v} (here {now})"
        for name, v, now in pairs
        if v.split(".")[:2] != now.split(".")[:2]
    ]
    return f"The model was saved with {listed(different, 8)}." if different else ""


def _versions(packages: set[str]) -> dict[str, str]:
    """Return the versions of Python, this package and others; not those that are not installed."""
    found = {"python": platform.python_version(), "fastkaggle_plus": __version__}
    for name in sorted({"numpy", *packages}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _copy_examples(examples: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Copy the images of the examples into the folder; return the examples with their new paths."""
    copied = []
    for i, example in enumerate(examples):
        source = Path(str(example.get("image", "")))
        if "image" in example and source.is_file():
            (folder / "examples").mkdir(exist_ok=True)
            name = f"examples/{i}{source.suffix.lower()}"
            shutil.copyfile(source, folder / name)
            example = {**example, "image": name}
        copied.append(example)
    return copied


def _hash(file: Path) -> str:
    with open(file, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _hash_of(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
