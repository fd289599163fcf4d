"""A notebook's or script's source as it is pushed: outputs stripped, fit to run on Kaggle, free of keys."""

from __future__ import annotations

import json
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
_SHORTEST_SECRET = 8  # shorter credentials, of a sandbox, would be found in ordinary words


@dataclass(frozen=True)
class Source:
    "What is pushed, and the parts of it as a reader of the notebook names them."

    text: str
    parts: tuple[tuple[str, str], ...]  # ("cell 3", its text)


def read_source(file: Path) -> Source:
    "Return what to push of a notebook or script; the file itself is left as it is."
    if not file.is_file():
        raise NotebookError(
            f"There is no file {str(file)!r} to push. Give its name, and the folder it is in as `path`."
        )
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise NotebookError(
            f"{file} is not a text in UTF-8 ({e.reason} at byte {e.start}). Save it as one."
        ) from None
    return _notebook(file, text) if file.suffix == ".ipynb" else Source(text, ((file.name, text),))


def refuse_secrets(
    source: Source,
    meta: dict[str, Any],  # what is sent beside it
    *,
    folders: Iterable[Path],  # where a .env file may lie
    own: Iterable[str],  # the client's own credentials
) -> None:
    "Raise SecretFound if anything that would be sent holds a key, a token, a value of a .env file or the user's own credentials."
    known = {*own, *_credentials(), *(v for folder in folders for v in secrets.env_values(folder))}
    known = {v for v in known if len(v) >= _SHORTEST_SECRET}
    for where, text in (*source.parts, ("the metadata", "\n".join(map(str, _leaves(meta))))):
        secrets.refuse_secrets(text, where, known=known)


def is_same(theirs: str, ours: str) -> bool:
    "Say whether two sources have the same code; Kaggle may write a notebook's JSON in its own way."
    mine, other = _cells(ours), _cells(theirs)
    if mine is None or other is None:
        return theirs.strip().splitlines() == ours.strip().splitlines()
    return mine == other


def _notebook(file: Path, text: str) -> Source:
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
        for cell in cells:
            cell["source"] = "".join(
                cell["source"]
            )  # Kaggle wants one string, the format allows a list
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except (ValueError, KeyError, TypeError) as e:
        raise NotebookError(
            f"{file} does not read as a notebook of format 4 ({type(e).__name__}: {e}). Open it in Jupyter and save it "
            "again."
        ) from None
    about = notebook.setdefault("metadata", {})
    about.pop("widgets", None)  # the state of widgets is output too
    # Without a kernel's name, or with that of an environment here, the run dies before its first cell.
    about.update(_PYTHON)
    rest = {
        **notebook,
        "cells": [{k: v for k, v in cell.items() if k != "source"} for cell in cells],
    }
    parts = [(f"cell {n}", cell["source"]) for n, cell in enumerate(cells, 1)]
    return Source(
        json.dumps(notebook),
        (*parts, ("the notebook's own metadata", "\n".join(map(str, _leaves(rest))))),
    )


def _cells(text: str) -> list[tuple[str, str]] | None:
    try:
        return [(c["cell_type"], "".join(c["source"]).rstrip()) for c in json.loads(text)["cells"]]
    except (ValueError, KeyError, TypeError):
        return None


def _leaves(value: Any, name: str = "") -> Iterable[str]:
    "Yield every text in nested dicts and lists, as NAME = 'TEXT' where it has a name: many keys show only beside theirs."
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield f"{name} = {str(value)!r}" if name else str(value)


def _credentials() -> list[str]:
    "Return the keys and tokens that this machine holds for Kaggle, also those not used now."
    values = environment.credential_variables()
    found = [values.get("key", ""), values.get("token", "")]
    for file in environment.token_files():
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        try:
            kept = json.loads(text)
        except ValueError:
            found.append(text)
            continue
        if isinstance(kept, dict):
            found += [
                str(v)
                for k, v in kept.items()
                if v and any(word in k.lower() for word in ("key", "token", "secret"))
            ]
    return [v for v in found if v]
