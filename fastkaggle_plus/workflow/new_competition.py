"""A new competition folder: the template, with what can be read off the data filled in."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..competition import FACTS, builtin_folder, read_competition
from ..exceptions import ConfigError
from ..reading.infer import infer_competition

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def new_comp(
    slug: str,  # the competition's name in its URL
    *,
    kind: str = "tabular",  # tabular | images | text
    dest: str
    | Path
    | None = None,  # the folder to make, or the one to make it in; default: competitions
    data: str
    | Path
    | None = None,  # the competition's files: id, target, task, metric and file names are read off them
    **facts: Any,  # any other key of competition.toml, as in metric="rmsle" or split={"kind": "time", "column": "date"}
) -> Path:
    """Write a competition folder and return its path.

    What `facts` does not say is read off `data`, else it is the template's; check the lines that README.md names.
    Raises ConfigError for a folder that is there already, a slug that is none, or facts that do not fit.
    """
    if not _SLUG.fullmatch(slug):
        raise ConfigError(
            f"{slug!r} is not a competition's name in its URL: small letters, digits and single hyphens, as in {_as_slug(slug)!r}."
        )
    folder = Path(dest if dest is not None else "competitions")
    folder = folder if folder.name == slug else folder / slug
    if folder.exists():
        raise ConfigError(f"{folder} is there already. Edit its {FACTS}, or give another dest.")
    given = {
        "kind": kind,
        "title": slug.replace("-", " ").capitalize(),
        "url": f"https://www.kaggle.com/competitions/{slug}",
        **facts,
    }
    found = infer_competition(Path(data), given) if data is not None else {}
    template = builtin_folder() / "_template"
    toml = fill(
        (template / FACTS).read_text(encoding="utf-8"),
        {**_of(kind, facts.get("task")), **found, **given},
    )
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("__pycache__", FACTS))
    try:
        (folder / FACTS).write_text(toml, encoding="utf-8")
        read_competition(folder / FACTS)
    except ConfigError:
        shutil.rmtree(folder)
        raise
    readme = (
        (folder / "README.md")
        .read_text(encoding="utf-8")
        .replace("# A new competition", f"# {given['title']}", 1)
        .replace("SLUG", slug)
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
    if data is not None:
        rehearsal = folder / "rehearsal.py"
        where = Path(os.path.relpath(Path(data).resolve(), folder.resolve())).as_posix()
        rehearsal.write_text(
            rehearsal.read_text(encoding="utf-8").replace(
                'DATA = ""', f"DATA = {json.dumps(where)}", 1
            ),
            encoding="utf-8",
        )
    return folder


def fill(toml: str, facts: Mapping[str, Any]) -> str:
    "Return the text of a TOML file with these values in place of its own; its comments stay, keys it lacks are added."
    top, *sections = re.split(r"(?m)^(?=\[)", toml)
    bodies = {re.match(r"\[(\w+)\]", s)[1]: s for s in sections}  # type: ignore[index]
    top = _set_keys(top, {k: v for k, v in facts.items() if not isinstance(v, Mapping)})
    for name, values in facts.items():
        if isinstance(values, Mapping):
            bodies[name] = _set_keys(bodies.get(name, f"[{name}]\n"), values)
    return "\n".join(part.rstrip("\n") + "\n" for part in (top, *bodies.values()))


def _set_keys(text: str, values: Mapping[str, Any]) -> str:
    for key, value in values.items():
        line = re.compile(rf"(?m)^{key} = (?:\"[^\"]*\"|[^#\n]*?)([ ]*#.*)?$")
        written = f"{key} = {_toml(value)}"
        if match := line.search(text):
            comment = (match[1] or "").strip()
            text = (
                text[: match.start()]
                + (f"{written:<49} {comment}" if comment else written)
                + text[match.end() :]
            )
        else:
            text = text.rstrip("\n") + f"\n{written}\n"
    return text


def _toml(value: Any) -> str:
    "A string, number, boolean or list of them, as TOML writes it: like JSON."
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _of(kind: str, task: str | None) -> dict[str, Any]:
    "What a kind and a task bring along, where nobody says otherwise."
    sections: dict[str, dict[str, Any]] = {
        "images": {
            "images": {"train_folder": "train_images", "test_folder": "test_images", "name": "{id}"}
        },
        "text": {"text": {"columns": ["text"]}},
    }
    return {
        **sections.get(kind, {}),
        **({"metric": "rmse", "split": {"kind": "random"}} if task == "regression" else {}),
    }


def _as_slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "my-competition"
