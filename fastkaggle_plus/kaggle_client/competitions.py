"""Download a competition's data, all of it or nothing, and read its leaderboard."""

from __future__ import annotations

import contextlib
import filecmp
import re
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from filelock import FileLock

from .. import environment
from .. import files as safe_files
from ..exceptions import KaggleError
from ..ui.records import Records, Row, shown_score
from . import api, completeness, downloads, inputs, session
from .api import KaggleApi
from .services import about_competition, competition_page, slug_of
from .unzip import unzip


@dataclass(frozen=True)
class LeaderboardRow(Row):
    """One team's place on the public leaderboard, or on the private one after the end."""

    rank: int
    team: str
    score: float | None
    date: str  # ISO, UTC

    def as_row(self) -> dict[str, object]:
        """Return rank, team, score and date."""
        score = shown_score(self.score, 5)
        return {"rank": self.rank, "team": self.team, "score": score, "date": self.date}


def setup_comp(
    competition: str,  # its slug, or a Competition
    install: str = "",  # packages for pip, used inside Kaggle only
    *,
    dest: str | Path | None = None,  # folder; None = ./SLUG as in fastkaggle; not used in Kaggle
    client: KaggleApi | None = None,  # from `connect`; None = import_kaggle() if it downloads
    keep_zip: bool = False,  # keep SLUG.zip next to the folder
    progress: downloads.Progress | None = None,  # called with (bytes so far, bytes in all)
) -> Path:
    """Return the path to the data of `competition`, downloading it if it is missing or incomplete.

    Inside Kaggle, return the mounted data. A folder that was set up before is returned without any
    call. A folder without our marker is compared with Kaggle's list of files: if complete, it is
    used as it is; otherwise the data is downloaded into it. Other files stay, and a file of the
    same name with other content is kept as NAME.old.
    """
    slug = slug_of(competition)
    if environment.iskaggle:
        if install:
            inputs.pip_install(install)
        return inputs.find_mounted(slug)
    dest = Path(dest) if dest else Path(slug)
    origin = api.origin(client) if client else session.origin()
    # Next to the folder: a rename within one file system is atomic.
    work, lock = dest.parent / f".{dest.name}.download", dest.parent / f".{dest.name}.lock"
    if completeness.is_complete(dest, slug, origin=origin) and not work.exists():
        return dest
    with safe_files.disk_errors(dest, "another `dest`"):
        dest.parent.mkdir(parents=True, exist_ok=True)
        # Without a timeout: a big download takes hours, and a dead process loses its lock.
        with FileLock(lock):
            if not completeness.is_complete(dest, slug, origin=origin):
                client = client or session.import_kaggle()
                _set_up(slug, dest, client, work, keep_zip=keep_zip, progress=progress)
            shutil.rmtree(work, ignore_errors=True)  # also after a kill at the last moment
            lock.unlink(missing_ok=True)
    return dest


def leaderboard(
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
    top: int | None = None,  # the first so many teams, None = all
) -> Records[LeaderboardRow]:
    """Return the leaderboard, best first, all pages of it."""
    about = about_competition(client or session.import_kaggle(), slug_of(competition))
    answers = about.pages("get_leaderboard", doing="read the leaderboard of")
    teams = (team for answer in answers for team in answer.submissions or [])
    return Records(
        LeaderboardRow(rank, t.team_name, api.to_float(t.score), api.to_iso(t.submission_date))
        for rank, t in enumerate(islice(teams, top), 1)
    )


def gives_medals(
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi,
) -> bool:
    """Say whether a competition awards medals: Getting Started and Playground ones do not."""
    found = about_competition(client, slug_of(competition)).call("get_competition")
    return bool(found.awards_points)


def list_files(slug: str, client: KaggleApi) -> dict[str, int]:
    """Return path -> bytes of every file the competition has."""
    about = about_competition(client, slug)
    answers = about.pages("list_data_files", doing="list the files of")
    return {f.name: f.total_bytes for answer in answers for f in answer.files or []}


def find_data(competition: str, folders: Iterable[Path], *, client: KaggleApi) -> Path | None:
    """Return the first folder with the complete data of a competition from this Kaggle."""
    slug = slug_of(competition)
    for folder in folders:
        with contextlib.suppress(KaggleError):  # it has data of another competition, or Kaggle
            if completeness.is_complete(folder, slug, origin=api.origin(client)):
                return folder
    return None


def download_sample(
    competition: str,
    dest: Path,  # folder
    *,
    client: KaggleApi,
    name: str = "",  # of the sample submission, if it is known
) -> Path | None:
    """Download only the sample submission; None if the competition has none."""
    slug = slug_of(competition)
    names = list_files(slug, client)
    samples = [n for n in names if re.search(r"sample.?submission.*\.csv$", n, re.IGNORECASE)]
    if not (chosen := name if name in names else next(iter(samples), "")):
        return None
    about, doing, part = about_competition(client, slug), "download", dest / "sample.part"
    request = {"file_name": chosen, "doing": doing}

    def unpack(md5: str) -> Path:
        if not zipfile.is_zipfile(part):
            return part
        unzip(part, dest / "unpacked")
        return next(p for p in (dest / "unpacked").rglob("*") if p.is_file())

    return downloads.fetch_verified(
        about,
        part,
        unpack,
        find=lambda: downloads.source_of(about.call("download_data_file", **request)),
        doing=doing,
        what=f"{chosen} of {slug!r}",
        advice=f"report it at {competition_page(slug)}/discussion",
    )


def _set_up(
    slug: str,
    dest: Path,
    client: KaggleApi,
    work: Path,
    *,
    keep_zip: bool,
    progress: downloads.Progress | None,
) -> None:
    is_new, mark = not dest.exists(), partial(completeness.write, origin=api.origin(client))
    if not is_new and completeness.has_files(dest, listed := list_files(slug, client)):
        mark(dest, slug, files=listed)
        return
    work.mkdir(exist_ok=True)
    part, fresh = work / f"{slug}.zip.part", work / "unpacked"
    about, doing = about_competition(client, slug), "download"

    def unpack(md5: str) -> str:
        unzip(part, fresh)
        return md5

    md5 = downloads.fetch_verified(
        about,
        part,
        unpack,
        find=lambda: downloads.source_of(about.call("download_data_files", doing=doing)),
        doing=doing,
        what=f"The data of {slug!r}",
        advice=f"report it at {competition_page(slug)}/discussion",
        progress=progress,
    )
    files = completeness.files_in(fresh)
    if is_new:
        mark(fresh, slug, files=files, md5=md5)
        fresh.rename(dest)
    else:
        _merge(fresh, dest, files)
        mark(dest, slug, files=files, md5=md5)
    if keep_zip:
        part.replace(dest.parent / f"{slug}.zip")


def _merge(fresh: Path, dest: Path, files: dict[str, int]) -> None:
    for name in files:
        new, old = fresh / name, dest / name
        if not (old.is_file() and filecmp.cmp(new, old, shallow=False)):
            safe_files.make_room(old)
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(new, old)
