"""Write the folder of a final model, in one step: a graph of objects, their files, and the card."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ... import __version__
from ...exceptions import DataError, needs_extra
from .final_card import ModelCard
from .kept_code import CODE, KeptCode
from .member import Member
from .object_graph import GraphWriter

MODEL, GRAPH, CARD = "model.json", "graph.json", "model_card.md"
FORMAT = 1  # raise it when an older version could not read the folder


def write_folder(card: ModelCard, members: list[Member], new_rows: Any, folder: Path) -> None:
    """Write a final model into a folder. Raises DataError."""
    if folder.exists() and not (folder / MODEL).is_file() and any(folder.iterdir()):
        raise DataError(f"{folder} has other files. Give a new folder, or one that has a model.")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with needs_extra("keep"):
            _write(card, members, new_rows, part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(card: ModelCard, members: list[Member], new_rows: Any, folder: Path) -> None:
    code = KeptCode()
    writer = GraphWriter(folder, code.file_of)
    graph = writer.encode({"members": members, "new_rows": new_rows})
    writer.close()
    (folder / GRAPH).write_text(json.dumps(graph))
    code.write(folder / CODE)
    examples = _copy_examples(card.examples, folder)
    files = {
        f.relative_to(folder).as_posix(): file_hash(f)
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }
    card = replace(
        card,
        examples=examples,
        versions=versions(writer.packages),
        code={f: files[f] for f in files if f.startswith(f"{CODE}/")},
        notes=code.notes(members),
    )
    facts: dict[str, Any] = {"format": FORMAT, "card": card.to_json(), "files": files}
    facts = json.loads(json.dumps(facts, default=str))
    facts["sha256"] = hash_of(facts)
    (folder / MODEL).write_text(json.dumps(facts, indent=2) + "\n")
    (folder / CARD).write_text(card.to_markdown(files))


def versions(packages: set[str]) -> dict[str, str]:
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


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with open(file, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def hash_of(facts: dict[str, Any]) -> str:
    """Return the SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
