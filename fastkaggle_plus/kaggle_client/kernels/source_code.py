"""Read a notebook or script for a push: without outputs, runnable on Kaggle, without keys."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import environment, secrets
from ...exceptions import NotebookError

_PYTHON = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_IS_SECRET = re.compile("key|token|secret", re.IGNORECASE)
_SHORTEST_SECRET = 8  # a sandbox may have shorter credentials, which occur in ordinary words


@dataclass(frozen=True)
class Source:
    """The text to push, and its parts as a reader of the notebook names them."""

    text: str
    parts: tuple[tuple[str, str], ...]  # ("cell 3", its text)


def read_source(file: Path) -> Source:
    """Return what to push of a notebook or script; the file itself is not changed."""
    if not file.is_file():
        raise NotebookError(
            f"There is no file {str(file)!r} to push. Give its name, and its folder as `path`."
        )
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise NotebookError(
            f"{file} is not UTF-8 text ({e.reason} at byte {e.start}). Save it as UTF-8."
        ) from None
    return _notebook(file, text) if file.suffix == ".ipynb" else Source(text, ((file.name, text),))


def refuse_secrets(
    source: Source,
    meta: dict[str, Any],  # sent with it
    *,
    folders: Iterable[Path],  # that may have a .env file
    own: Iterable[str],  # the client's own credentials
) -> None:
    """Raise SecretFound if anything to send has a key, a token, a .env value or own credentials."""
    from_files = (v for folder in folders for v in secrets.env_values(folder))
    known = {v for v in (*own, *_credentials(), *from_files) if len(v) >= _SHORTEST_SECRET}
    for where, text in (*source.parts, ("the metadata", "\n".join(_texts_in(meta)))):
        secrets.refuse_secrets(text, where, known=known)


def is_same(theirs: str, ours: str) -> bool:
    """Say whether two sources have the same code; Kaggle may format the JSON differently."""
    our_cells, their_cells = _cells(ours), _cells(theirs)
    if our_cells is None or their_cells is None:
        return theirs.strip().splitlines() == ours.strip().splitlines()
    return our_cells == their_cells


def _notebook(file: Path, text: str) -> Source:
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
        for cell in cells:
            # Kaggle needs one string; the format allows a list.
            cell["source"] = "".join(cell["source"])
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except (ValueError, KeyError, TypeError) as e:
        raise NotebookError(
            f"{file} does not read as a notebook of format 4 ({type(e).__name__}: {e}). Open it in "
            "Jupyter and save it again."
        ) from None
    metadata = notebook.setdefault("metadata", {})
    metadata.pop("widgets", None)  # their state is output too
    # Without a kernel that Kaggle has, the run fails before its first cell.
    metadata.update(_PYTHON)
    without_source = [{k: v for k, v in cell.items() if k != "source"} for cell in cells]
    rest = "\n".join(_texts_in({**notebook, "cells": without_source}))
    parts = [(f"cell {n}", cell["source"]) for n, cell in enumerate(cells, 1)]
    return Source(json.dumps(notebook), (*parts, ("the notebook's own metadata", rest)))


def _cells(text: str) -> list[tuple[str, str]] | None:
    try:
        return [(c["cell_type"], "".join(c["source"]).rstrip()) for c in json.loads(text)["cells"]]
    except (ValueError, KeyError, TypeError):
        return None


def _texts_in(value: Any, name: str = "") -> Iterable[str]:
    """Yield every text in nested dicts and lists, as NAME = 'TEXT': keys are recognised by name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts_in(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner, name)
    else:
        yield f"{name} = {str(value)!r}" if name else str(value)


def _credentials() -> list[str]:
    """Return all keys and tokens for Kaggle on this machine, also those not in use."""
    values = environment.credential_variables()
    found = [values.get("key", ""), values.get("token", "")]
    for file in environment.token_files():
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        try:
            kept = json.loads(text)
        except ValueError:  # one token
            kept = {"token": text}
        if isinstance(kept, dict):
            found += [str(v) for k, v in kept.items() if v and _IS_SECRET.search(k)]
    return [v for v in found if v]
