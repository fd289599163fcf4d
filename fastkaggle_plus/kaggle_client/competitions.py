"""A competition's data, complete or not at all, and its leaderboard."""

from __future__ import annotations

import filecmp
import shutil
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from .. import environment
from .. import files as placing
from . import api, completeness, downloads, inputs, session

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi


@dataclass(frozen=True)
class LeaderboardRow:
    "One team's place on the public leaderboard, or on the private one once it is out."

    rank: int
    team: str
    score: float | None
    date: str  # ISO, UTC


def setup_comp(
    competition: str,  # its slug, or a Competition
    install: str = "",  # packages for pip, used inside Kaggle only
    *,
    dest: str
    | Path
    | None = None,  # the data's folder; None = ./SLUG as in fastkaggle; inside Kaggle the mount is returned instead
    client: KaggleApi
    | None = None,  # from `connect`; None = import_kaggle() when it comes to a download
    keep_zip: bool = False,  # leave SLUG.zip beside the folder
    progress: downloads.Progress | None = None,  # called with (bytes so far, bytes in all)
) -> Path:
    """Return the path to the data of `competition`, downloading it if it is not there or not whole.

    A folder that was set up before is returned without any call. One without our mark, made by hand or by an interrupted tool,
    is compared with the service's list of files: complete, it is adopted; else the data is fetched and put in, files of other
    names stay, and a file of the same name with other content is kept as NAME.old.
    """
    slug = api.slug_of(competition)
    if environment.iskaggle:
        if install:
            inputs.pip_install(install)
        return inputs.find_mounted(slug)
    dest = Path(dest) if dest else Path(slug)
    origin = api.origin(client) if client else session.origin()
    work, lock = dest.parent / f".{dest.name}.download", dest.parent / f".{dest.name}.lock"
    if completeness.is_complete(dest, slug, origin=origin) and not work.exists():
        return dest
    with placing.disk_errors(dest, "setup_comp another `dest`"):
        dest.parent.mkdir(parents=True, exist_ok=True)
        # No time limit: the system frees the lock of a process that dies, and a big download takes hours.
        with FileLock(lock):
            if not completeness.is_complete(dest, slug, origin=origin):
                _set_up(
                    slug,
                    dest,
                    client or session.import_kaggle(),
                    work,
                    origin=origin,
                    keep_zip=keep_zip,
                    progress=progress,
                )
            shutil.rmtree(work, ignore_errors=True)  # also what a kill at the last moment left
            lock.unlink(missing_ok=True)
    return dest


def leaderboard(
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
    top: int | None = None,  # the first so many teams, None = all
) -> list[LeaderboardRow]:
    "Return the leaderboard, best first, every page of it."
    from kagglesdk.competitions.types.competition_api_service import ApiGetLeaderboardRequest

    slug = api.slug_of(competition)
    teams = api.pages(
        client or session.import_kaggle(),
        "get_leaderboard",
        _about(ApiGetLeaderboardRequest, slug),
        "submissions",
        slug=slug,
        doing="read the leaderboard of",
    )
    return [
        LeaderboardRow(
            i,
            t.team_name,
            _number(t.score),
            t.submission_date.isoformat() if t.submission_date else "",
        )
        for i, t in enumerate(islice(teams, top), 1)
    ]


def list_files(slug: str, client: KaggleApi) -> dict[str, int]:
    "Return path -> bytes of every file the service offers, all pages."
    from kagglesdk.competitions.types.competition_api_service import ApiListDataFilesRequest

    request = _about(ApiListDataFilesRequest, slug)
    return {
        f.name: f.total_bytes
        for f in api.pages(
            client, "list_data_files", request, "files", slug=slug, doing="list the files of"
        )
    }


def _set_up(
    slug: str,
    dest: Path,
    client: KaggleApi,
    work: Path,  # beside the folder: a rename within one file system is atomic
    *,
    origin: str,
    keep_zip: bool,
    progress: downloads.Progress | None,
) -> None:
    is_new = not dest.exists()
    if not is_new and completeness.fits(dest, listed := list_files(slug, client)):
        completeness.write(dest, slug, origin=origin, files=listed)
        return
    work.mkdir(exist_ok=True)
    part, fresh = work / f"{slug}.zip.part", work / "unpacked"
    md5 = _download(slug, client, part, fresh, progress)
    files = completeness.files_in(fresh)
    if is_new:
        completeness.write(fresh, slug, origin=origin, files=files, md5=md5)
        fresh.rename(dest)
    else:
        _merge(fresh, dest, files)
        completeness.write(dest, slug, origin=origin, files=files, md5=md5)
    if keep_zip:
        part.replace(dest.parent / f"{slug}.zip")


def _download(
    slug: str, client: KaggleApi, part: Path, fresh: Path, progress: downloads.Progress | None
) -> str:
    "Fetch and unpack the bundle, anew if its bytes are wrong; return its MD5."
    from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

    def ask() -> downloads.Source:
        answer = api.read(
            client,
            "download_data_files",
            _about(ApiDownloadDataFilesRequest, slug),
            slug=slug,
            doing="download",
        )
        return downloads.source_of(answer)

    def once() -> str:
        with api.transfers(client) as transfers, api.explained(client, slug=slug, doing="download"):
            md5 = downloads.fetch(
                ask, part, transfers, stalls=getattr(client, "tries", 7), progress=progress
            )
        downloads.unpack(part, fresh)
        return md5

    return downloads.until_sound(
        once,
        part,
        what=f"The data of {slug!r}",
        then=f"report it at https://www.kaggle.com/competitions/{slug}/discussion",
    )


def _merge(fresh: Path, dest: Path, files: dict[str, int]) -> None:
    for name in files:
        new, old = fresh / name, dest / name
        if not (old.is_file() and filecmp.cmp(new, old, shallow=False)):
            placing.make_room(old)
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(new, old)


def _about(request_type: Any, slug: str) -> Any:
    request = request_type()
    request.competition_name = slug
    return request


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
