"""Check a notebook before it is pushed: what would fail on Kaggle, or should never have left this machine, is found here."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..exceptions import NotebookError
from ..secrets import find_secrets
from .check_code import input_faults, internet_faults, writes_submission
from .check_metadata import Declared, metadata_faults, weights_faults
from .magics import PYTHON_MAGICS, without_magic
from .runtime_estimate import limit_s

# First folders that are somebody's own, or some other machine's. In prose only those that name a person: a path there breaks nothing.
_PERSONAL = "home|Users|root"
_FOLDERS = f"{_PERSONAL}|data|mnt|media|content|Volumes|workspace|workspaces|srv|scratch"
_REST = r"""[^\s"')\]]*"""
_PATH, _PATH_IN_PROSE = (
    re.compile(
        rf"""(?:^|(?<=[\s"'=(,:\[]))(?:file://)?(?:/(?:{folders})(?=[/"'\s)\]]|$){_REST}|[A-Za-z]:(?:\\{{1,2}}|/)(?![/\s]){_REST})"""
    )
    for folders in (_FOLDERS, _PERSONAL)
)
_HOME = re.compile(rf"""(?:^|(?<=[\s"'=(,]))~/{_REST}|\bPath\.home\(\)|\bexpanduser\(""")


@dataclass(frozen=True)
class Finding:
    "One thing that is wrong."

    rule: str  # syntax | secret | output | path | input | metadata | internet | weights | submission | runtime
    cell: int  # counted from 1 over all cells; 0: the metadata, or the notebook as a whole
    line: int  # within the cell, counted from 1; 0 where no single line is to blame
    message: str  # what is wrong, and what to do

    def __str__(self) -> str:
        whole = "the metadata" if self.rule == "metadata" else "the notebook"
        where = (
            f"cell {self.cell}" + (f", line {self.line}" if self.line else "")
            if self.cell
            else whole
        )
        return f"{where} ({self.rule}): {self.message}"


def check_notebook(
    notebook: Any,  # nbformat's NotebookNode, its JSON as a dictionary, or the path of an .ipynb file
    *,
    metadata: Mapping[str, Any],  # as in kernel-metadata.json
    comp: Competition,
    forecast_s: float | None = None,  # expected run time, see `forecast_s` and `dry_run`
    known_secrets: Iterable[str] = (),  # values that are secret here, like those of a .env file
    for_push: bool = True,  # False: it is only written, and its owner may still be filled in
    weights: Mapping[str, Collection[str]]
    | None = None,  # pretrained model that its trials name -> names of a dataset or model that brings it
) -> None:
    "Raise NotebookError if the notebook should not be pushed: it names the first finding and counts the others."
    if found := find_faults(
        notebook,
        metadata=metadata,
        comp=comp,
        forecast_s=forecast_s,
        known_secrets=known_secrets,
        for_push=for_push,
        weights=weights,
    ):
        more = (
            f" There {'is 1 more finding' if len(found) == 2 else f'are {len(found) - 1} more findings'}."
            if len(found) > 1
            else ""
        )
        raise NotebookError(
            f"The notebook has {len(found)} finding{'s' * (len(found) > 1)}; nothing was sent. In {found[0]}{more}"
        )


def find_faults(
    notebook: Any,
    *,
    metadata: Mapping[str, Any],
    comp: Competition,
    forecast_s: float | None = None,
    known_secrets: Iterable[str] = (),
    for_push: bool = True,
    weights: Mapping[str, Collection[str]] | None = None,
) -> list[Finding]:
    "Return every finding, those of the cells first, in their order."
    cells, known = _cells(notebook), tuple(known_secrets)
    declared = Declared(metadata)
    found = [f for i, cell in enumerate(cells, 1) for f in _cell_faults(i, cell, known)]
    code = [(i, cell["source"]) for i, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
    found += [
        Finding(*fault)
        for fault in (*input_faults(code, declared, comp), *internet_faults(code, declared))
    ]
    if not writes_submission(code):
        found.append(
            Finding(
                "submission",
                0,
                0,
                "no cell writes submission.csv, which is what Kaggle scores. End with write_submission(preds, comp, path).",
            )
        )
    found += [
        Finding("metadata", 0, 0, message)
        for message in metadata_faults(metadata, comp, for_push=for_push)
    ]
    found += [
        Finding("weights", 0, 0, message) for message in weights_faults(weights or {}, declared)
    ]
    if forecast_s is not None and forecast_s > (limit := limit_s(comp, metadata)):
        found.append(
            Finding(
                "runtime",
                0,
                0,
                f"it is expected to run {forecast_s / 3600:.1f} h, and Kaggle stops it after {limit / 3600:.0f} h. "
                "Run fewer trials or folds, or push it in parts.",
            )
        )
    return sorted(found, key=lambda f: (f.cell == 0, f.cell, f.line))


def _cells(notebook: Any) -> list[dict[str, Any]]:
    "The cells, the source of each as one string. Raises NotebookError for what is no notebook."
    if isinstance(notebook, (str, Path)):
        import json

        try:
            notebook = json.loads(Path(notebook).read_text(encoding="utf-8"))
        except (OSError, ValueError) as e:
            raise NotebookError(f"{notebook} does not read as a notebook: {e}") from e
    try:
        return [
            {**cell, "source": "".join(cell["source"]), "cell_type": cell["cell_type"]}
            for cell in notebook["cells"]
        ]
    except (KeyError, TypeError) as e:
        raise NotebookError(
            f"This is no notebook: it lacks {e}. Render one with `fkp notebook SLUG`."
        ) from e


def _cell_faults(i: int, cell: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Finding]:
    source = cell["source"]
    for secret in find_secrets(source, known=known):
        yield Finding(
            "secret",
            i,
            secret.line,
            f"it holds what looks like a secret: {secret.kind}, {secret.shown}. Take it out and make a new one "
            "where it came from; on Kaggle use Add-ons > Secrets.",
        )
    for n, line in enumerate(source.splitlines(), 1):
        if path := _local_path(line, is_code=cell["cell_type"] == "code"):
            yield Finding(
                "path",
                i,
                n,
                f"{path} is a path of this machine and leads nowhere on Kaggle. Use setup_comp, or a path below the working folder.",
            )
    if cell.get("attachments"):
        yield Finding(
            "output",
            i,
            0,
            "it holds pasted images, which may show what should not be seen. Take them out.",
        )
    if cell["cell_type"] != "code":
        return
    if cell.get("outputs") or cell.get("execution_count") is not None:
        yield Finding(
            "output", i, 0, "it holds outputs, which may show what should not be seen. Clear them."
        )
    if broken := _syntax_error(source):
        yield Finding("syntax", i, broken[0], f"{broken[1]}. Mend the cell in the template.")


def _local_path(line: str, *, is_code: bool) -> str:
    "The first absolute path of this machine in a line, or nothing."
    here = [
        str(p)
        for p in (Path.cwd(), Path.home())
        if len(p.parts) > 2 and not str(p).startswith("/kaggle")
    ]
    mine = next(
        (line[line.index(p) :].split('"')[0].split("'")[0].split()[0] for p in here if p in line),
        "",
    )
    match = (_PATH.search(line) or _HOME.search(line)) if is_code else _PATH_IN_PROSE.search(line)
    return mine or (match[0] if match else "")


def _syntax_error(source: str) -> tuple[int, str] | None:
    "The line and words of a cell's first mistake, or None; magics are allowed."
    first, _, body = source.lstrip("\n").partition("\n")
    if first.startswith("%%"):
        magic, _, rest = first[2:].partition(" ")
        if magic == "writefile" and rest.strip().endswith(".toml"):
            try:
                tomllib.loads(body)
            except tomllib.TOMLDecodeError as e:
                line = re.search(r"line (\d+)", str(e))
                return 1 + int(
                    line[1] if line else 1
                ), f"the file that it writes is not valid TOML: {e}"
        if magic not in PYTHON_MAGICS and not (
            magic == "writefile" and rest.strip().endswith(".py")
        ):
            return None
        error = _compile(body)
        return (error[0] + 1, error[1]) if error else None
    return _compile(source)


def _compile(source: str) -> tuple[int, str] | None:
    for text in (
        source,
        without_magic(source),
    ):  # as it is first: a line of a string may look like a magic
        try:
            compile(
                text + "\n",
                "cell",
                "exec",
                flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST,
            )
            return None
        except SyntaxError as e:
            problem = e.lineno or 1, f"{type(e).__name__}: {e.msg}"
        except ValueError as e:  # a null byte
            problem = 1, str(e)
    return problem
