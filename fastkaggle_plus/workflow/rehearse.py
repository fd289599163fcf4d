"""A rehearsal: one competition served by the sandbox, and every Kaggle client of this process pointed at it."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import FACTS, Competition, load_comp, read_competition
from ..environment import rehearsing
from ..exceptions import ConfigError, UnknownName
from ..sandbox import answered_by_file, rehearse, running

_WHOLE_FILE = 16 * 2**20  # larger files are told apart by size and time, not by content
_NO_SOURCE = (
    "trials.py",
    "notebook.py",
    "README.md",
    "results.csv",
)  # of a competition's folder, and of no rehearsal's rows


@dataclass(frozen=True)
class Rehearsal:
    "A sandbox that is running."

    url: str
    place: Path  # folder for what belongs to this very Kaggle: its state, its journal
    data: Path  # folder for the competition's data, the same while its rows are
    server: Any  # the organiser's view: rank, private_score, leaderboard
    comp: Competition  # the facts as they are served, which a rehearsal may have changed
    as_files: bool = (
        False  # a code competition whose hidden rows are answered from a file, see `rehearsal`
    )


@contextlib.contextmanager
def rehearsal(
    comp: Competition | str,  # or its slug
    *,
    bundles: str
    | Path
    | None = None,  # folder of sandbox bundles to serve instead of the built-in rehearsal
    data: str
    | Path
    | None = None,  # or: a folder with the competition's own files, of which labelled rows are held out
    dest: str | Path | None = None,  # where everything goes; default: runs/<slug>
    seed: int = 42,
    as_files: bool = False,  # let a code competition take files: its hidden rows are then the test rows that are seen
) -> Iterator[Rehearsal]:
    """Serve a competition on this machine while the block runs; `setup_comp`, `submit` and any Kaggle client in it talk to that.

    Real credentials are out of sight meanwhile. Raises ConfigError, UnknownName, SandboxError.
    """
    if bundles is not None and data is not None:
        raise ConfigError("bundles and data are two ways to rehearse. Give one of them.")
    comp = load_comp(comp, bundles=bundles) if isinstance(comp, str) else comp
    served, place, files = _bundle(
        comp, Path(dest or Path("runs") / comp.slug), bundles, data, seed
    )
    facts = read_competition(served / comp.slug / FACTS)
    if as_files := as_files and facts.code_competition:
        served, place, files = _as_files(served / comp.slug, place, files)
        facts = read_competition(served / comp.slug / FACTS)
    with (
        running(served, state=place / "sandbox") as server,
        rehearsing(server.url, user=server.user, key=server.key, token=server.token),
    ):
        yield Rehearsal(server.url, place, files, server, facts, as_files)


def _as_files(bundle: Path, place: Path, files: Path) -> tuple[Path, Path, Path]:
    "What `_bundle` returns, of a twin of a code competition's bundle that takes files: made once, beside the data of the other."
    beside = files.with_name("as-files")
    _made_once(beside / "bundles", lambda part: answered_by_file(bundle, part))
    return beside / "bundles", place / "as-files", beside / "data"


def _bundle(
    comp: Competition, home: Path, bundles: str | Path | None, data: str | Path | None, seed: int
) -> tuple[Path, Path, Path]:
    "Return (folder of bundles to serve, folder for what belongs to this very Kaggle, folder for the data)."
    if bundles is not None:
        if not (folder := Path(bundles) / comp.slug).is_dir():
            there = [p.parent.name for p in Path(bundles).glob("*/competition.toml")]
            raise UnknownName(
                "bundle",
                comp.slug,
                there,
                f"A bundle is a folder in {bundles} with competition.toml, files/ and solution.csv.",
            )
        place = home / f"bundle-{_fingerprint(_hashes(folder))}"
        return Path(bundles), place, place / "data"
    own = comp.module("rehearsal") if data is None else None
    source = Path(data) if data is not None else comp.folder
    if own is None and (source is None or not (source / comp.train).exists()):
        raise ConfigError(
            f"There is nothing to rehearse {comp.slug} with: {source} holds no {comp.train}, and the competition has no rehearsal.py. "
            f"Say where its files are (--data DIR), give bundles (--bundles DIR), or use the real Kaggle (--live)."
        )
    assert source is not None
    named = getattr(
        own, "DATA", ""
    )  # files elsewhere that the competition's rehearsal.py takes its rows from
    beside = comp.folder / named if comp.folder and named else None
    hashes = _hashes(source, comp.folder, beside)
    place = (
        home
        / f"rehearsal-{_fingerprint({f: h for f, h in hashes.items() if _is_source(f, comp, source, own is not None)})}-seed{seed}"
    )
    served = place / "bundles"
    _made_once(
        served,
        lambda part: (
            own.make(part, seed=seed)
            if own is not None
            else rehearse(comp, source, part, seed=seed)
        ),
    )
    return (
        served,
        place / f"code-{_fingerprint(hashes)}",
        place / "data",
    )  # other trials meet a Kaggle that has had no submission today


def _made_once(folder: Path, make: Callable[[Path], object]) -> None:
    "Make a folder, whole or not at all, unless it is there."
    if folder.exists():
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    make(part)
    part.rename(folder)


def _is_source(file: Path, comp: Competition, source: Path, is_made: bool) -> bool:
    "Say whether a rehearsal may depend on a file: of the competition's folder on the facts and what its rehearsal.py may use, but on no trial."
    if file.parent != comp.folder or file.name == FACTS:
        return True
    return file.name not in _NO_SOURCE and (
        is_made or (source == comp.folder and file.suffix != ".py")
    )


def _hashes(*folders: Path | None) -> dict[Path, bytes]:
    "The hash of each file's place in its folder and its content."
    found = {}
    for folder in dict.fromkeys(f for f in folders if f is not None):
        for file in sorted(
            p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts
        ):
            stat = file.stat()
            content = (
                file.read_bytes()
                if stat.st_size <= _WHOLE_FILE
                else f"{stat.st_size} {stat.st_mtime_ns}".encode()
            )
            found[file] = hashlib.sha256(
                f"{file.relative_to(folder)}\0".encode() + content
            ).digest()
    return found


def _fingerprint(hashes: dict[Path, bytes]) -> str:
    return hashlib.sha256(b"".join(hashes.values())).hexdigest()[:8]
