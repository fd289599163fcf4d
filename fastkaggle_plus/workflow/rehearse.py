"""Rehearsals: the sandbox serves a competition to every Kaggle client in this process."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..competition import COMPETITION_FILE, Competition, load_comp, read_competition
from ..environment import rehearsing
from ..exceptions import ConfigError, UnknownName
from ..sandbox import answered_by_file, rehearse, running
from .rehearsal_copies import copies, file_hashes, fingerprint, remove_unused, row_hashes

_KEPT_COPIES = 3  # of one competition and seed


@dataclass(frozen=True)
class Rehearsal:
    """A running sandbox that serves one competition."""

    url: str
    kaggle_folder: Path  # what belongs to this sandbox: its state, its journal
    data: Path  # folder for the competition's data; the same as long as the rows are
    server: Any  # the organiser's view: rank, private_score, leaderboard
    comp: Competition  # the facts as served; the rehearsal may have changed some
    as_files: bool = False  # a code competition that accepts files, see `rehearsal`


class _Folders(NamedTuple):
    bundles: Path  # the bundles to serve
    kaggle: Path  # what belongs to this sandbox: its state, its journal
    data: Path  # the competition's data


@contextlib.contextmanager
def rehearsal(
    comp: Competition | str,  # or its slug
    *,
    bundles: str | Path | None = None,  # serve these sandbox bundles, not the built-in rehearsal
    data: str | Path | None = None,  # or: serve labelled rows held out from the files in here
    dest: str | Path | None = None,  # output folder; default: runs/<slug>
    seed: int = 42,
    as_files: bool = False,  # let a code competition accept files: all its hidden rows are visible
) -> Iterator[Rehearsal]:
    """Serve a competition on this machine during the block.

    `setup_comp`, `submit` and every other Kaggle client in the block use it, and real credentials
    are hidden. Raises ConfigError, UnknownName, SandboxError.
    """
    if bundles is not None and data is not None:
        raise ConfigError("bundles and data are two ways to rehearse. Give one of them.")
    comp = load_comp(comp, bundles=bundles) if isinstance(comp, str) else comp
    home = Path(dest or Path("runs") / comp.slug)
    if bundles is not None:
        folders = _given_bundle(comp, home, Path(bundles))
    else:
        folders = _made_bundle(comp, home, None if data is None else Path(data), seed)
    facts = read_competition(folders.bundles / comp.slug / COMPETITION_FILE)
    if as_files := as_files and facts.code_competition:
        folders = _accept_files(folders, comp.slug)
        facts = read_competition(folders.bundles / comp.slug / COMPETITION_FILE)
    with (
        running(folders.bundles, state=folders.kaggle / "sandbox") as server,
        rehearsing(server.url, user=server.user, key=server.key, token=server.token),
    ):
        yield Rehearsal(server.url, folders.kaggle, folders.data, server, facts, as_files)


def _given_bundle(comp: Competition, home: Path, bundles: Path) -> _Folders:
    """Return the folders for a bundle that the user wrote."""
    bundle = bundles / comp.slug
    if not bundle.is_dir():
        raise UnknownName(
            "bundle",
            comp.slug,
            [p.parent.name for p in bundles.glob(f"*/{COMPETITION_FILE}")],
            f"A bundle is a folder in {bundles} with {COMPETITION_FILE}, files/ and solution.csv.",
        )
    kaggle = home / f"bundle-{fingerprint(file_hashes(bundle))}"
    return _Folders(bundles, kaggle, kaggle / "data")


def _made_bundle(comp: Competition, home: Path, data: Path | None, seed: int) -> _Folders:
    """Make a bundle with the competition's rehearsal.py, or by holding out rows of its files."""
    own = comp.module("rehearsal") if data is None else None
    source = data or comp.folder
    if own is None and (source is None or not (source / comp.train).exists()):
        raise ConfigError(
            f"Cannot rehearse {comp.slug}: {source} has no {comp.train}, and the competition has "
            "no rehearsal.py. Give the folder of its files (--data DIR) or bundles "
            "(--bundles DIR), or use the real Kaggle (--live)."
        )
    assert source is not None
    hashes = row_hashes(comp, source, own)
    folder = home / f"rehearsal-{fingerprint(hashes)}-seed{seed}"
    if not folder.exists():
        remove_unused(copies(home, seed)[_KEPT_COPIES - 1 :])
    served = folder / "bundles"
    if own is not None:
        _make_once(served, lambda part: own.make(part, seed=seed))
    else:
        _make_once(served, lambda part: rehearse(comp, source, part, seed=seed))
    os.utime(folder)  # the copies are removed in the order of their last use
    # After a change in the trials, start with a Kaggle that had no submission today.
    code = comp.folder.glob("*.*") if comp.folder else ()
    state = fingerprint(hashes | file_hashes(comp.folder, code))
    return _Folders(served, folder / f"code-{state}", folder / "data")


def _accept_files(folders: _Folders, slug: str) -> _Folders:
    """Return the folders of a copy of a code competition's bundle that accepts files."""
    copy = folders.data.with_name("as-files")
    _make_once(copy / "bundles", lambda part: answered_by_file(folders.bundles / slug, part))
    return _Folders(copy / "bundles", folders.kaggle / "as-files", copy / "data")


def _make_once(folder: Path, make: Callable[[Path], object]) -> None:
    """Make a folder unless it exists. An interrupted call leaves no partial folder."""
    if folder.exists():
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    make(part)
    part.rename(folder)
