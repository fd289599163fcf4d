"""Start a competition: copy the template folder and fill in what the data shows."""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..competition import COMPETITION_FILE, builtin_folder, read_competition
from ..exceptions import ConfigError
from ..reading.infer import Inferred, infer_competition

OnInferred = Callable[[str, Any, str], None]
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COMMENT_COLUMN = 49
_KINDS = ("tabular", "images", "text")
OWN_METRIC_TEMPLATE = "metric.py"
_KIND_FACTS: dict[str, dict[str, Any]] = {
    "images": {
        "images": {"train_folder": "train_images", "test_folder": "test_images", "name": "{id}"}
    },
    "text": {"text": {"columns": ["text"]}},
}
_TASK_FACTS: dict[str, dict[str, Any]] = {
    "regression": {"metric": "rmse", "split": {"kind": "random"}}
}


def new_comp(
    slug: str,  # the competition's name in its URL
    *,
    kind: str = "tabular",  # tabular | images | text
    dest: str | Path | None = None,  # the new folder, or its parent; default: competitions
    data: str | Path | None = None,  # the competition's files, to infer id, target, task, ...
    on_inferred: OnInferred | None = None,  # called with each inferred key, its value and why
    **facts: Any,  # keys of competition.toml, as in metric="metric.py" or split={"kind": "random"}
) -> Path:
    """Write a competition folder and return its path.

    Facts that are not given are inferred from `data`, else copied from the template. README.md
    lists the lines to check. Raises ConfigError if the folder exists, the slug is not valid, or
    the facts do not fit together.
    """
    if not _SLUG.fullmatch(slug):
        raise ConfigError(
            f"{slug!r} is not a valid name: expected the last part of the competition's URL, in "
            f"lower-case letters, digits and single hyphens, as in {_as_slug(slug)!r}."
        )
    if kind not in _KINDS:
        raise ConfigError(
            f"{kind!r} is no kind; expected {', '.join(_KINDS[:-1])} or {_KINDS[-1]}."
        )
    folder = Path(dest if dest is not None else "competitions")
    folder = folder if folder.name == slug else folder / slug
    if folder.exists():
        raise ConfigError(
            f"{folder} exists already. Edit its {COMPETITION_FILE}, or give another dest."
        )
    given = {
        "kind": kind,
        "title": slug.replace("-", " ").capitalize(),
        "url": f"https://www.kaggle.com/competitions/{slug}",
        **facts,
    }
    inferred = infer_competition(Path(data), given) if data is not None else Inferred()
    for key, why in inferred.reasons.items():
        if on_inferred is not None and key not in facts:
            on_inferred(key, inferred.settings[key], why)
    defaults = {**_KIND_FACTS.get(kind, {}), **_TASK_FACTS.get(str(facts.get("task")), {})}
    template = builtin_folder() / "_template"
    toml = fill(
        (template / COMPETITION_FILE).read_text(encoding="utf-8"),
        {**defaults, **inferred.settings, **given},
    )
    unused = shutil.ignore_patterns("__pycache__", COMPETITION_FILE, OWN_METRIC_TEMPLATE)
    shutil.copytree(template, folder, ignore=unused)
    try:
        (folder / COMPETITION_FILE).write_text(toml, encoding="utf-8")
        if str(given.get("metric", "")).endswith(".py"):
            is_value = 'task = "regression"' in toml
            text = (template / OWN_METRIC_TEMPLATE).read_text(encoding="utf-8")
            text = text.replace('wants = "label"', 'wants = "value"') if is_value else text
            (folder / Path(given["metric"]).name).write_text(text, encoding="utf-8")
        read_competition(folder / COMPETITION_FILE)
    except ConfigError as e:
        shutil.rmtree(folder)
        raise ConfigError(_about_options(str(e), folder)) from e
    _replace(folder / "README.md", "# A new competition", f"# {given['title']}")
    _replace(folder / "README.md", "SLUG", slug, count=-1)
    if data is not None:
        rows_from = Path(os.path.relpath(Path(data).resolve(), folder.resolve())).as_posix()
        _replace(folder / "rehearsal.py", 'DATA = ""', f"DATA = {json.dumps(rows_from)}")
    return folder


def fill(toml: str, facts: Mapping[str, Any]) -> str:
    """Return the TOML text with the values of `facts`. Comments stay, missing keys are added."""
    top, *sections = re.split(r"(?m)^(?=\[)", toml)
    bodies = {re.match(r"\[(\w+)\]", s)[1]: s for s in sections}  # type: ignore[index]
    top = _set_keys(top, {k: v for k, v in facts.items() if not isinstance(v, Mapping)})
    for name, values in facts.items():
        if isinstance(values, Mapping):
            bodies[name] = _set_keys(bodies.get(name, f"[{name}]\n"), values)
    return "\n".join(part.rstrip("\n") + "\n" for part in (top, *bodies.values()))


def _set_keys(text: str, values: Mapping[str, Any]) -> str:
    for key, value in values.items():
        old = re.compile(rf"(?m)^{key} = (?:\"[^\"]*\"|[^#\n]*?)([ ]*#.*)?$")
        new = f"{key} = {_toml(value)}"
        if match := old.search(text):
            if comment := (match[1] or "").strip():
                new = f"{new:<{_COMMENT_COLUMN}} {comment}"
            text = text[: match.start()] + new + text[match.end() :]
        else:
            text = text.rstrip("\n") + f"\n{new}\n"
    return text


def _toml(value: Any) -> str:
    """Return a string, number, boolean or list as TOML, which writes them as JSON does."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _replace(file: Path, old: str, new: str, count: int = 1) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, count), encoding="utf-8")


def _about_options(error: str, folder: Path) -> str:
    """Return an error about the file in a new folder, as one about the options of `fkp new`."""
    error = error.replace(f"{(folder / COMPETITION_FILE).resolve()}: ", "")
    options = [f"--{key}" for key in ("metric", "task") if f"{key} = " in error]
    advice = f" Give another {' or '.join(options)}." if options else ""
    return f"{error}{advice} Nothing was written."


def _as_slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "my-competition"
