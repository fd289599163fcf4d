"""The csv file of a leaderboard, and how scores and teams are written."""

import csv
import hashlib
import io
import zipfile

from .rpc import Row

_COLUMNS = (
    "Rank TeamId TeamName LastSubmissionDate Score SubmissionCount TeamMemberUserNames".split()
)


def zipped_leaderboard(
    name: str,  # of the csv
    standings: list[Row],  # the best first
    user: str,  # the only member of the team that is not a reference
) -> bytes:
    """Return a zip of the leaderboard's csv, with the columns of Kaggle."""
    text, packed = io.StringIO(), io.BytesIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for rank, r in enumerate(standings, 1):
        when, score = r["date"][:19].replace("T", " "), score_text(r["score"])
        members = "" if r["is_reference"] else user
        rows.writerow([rank, team_id(r), r["team"], when, score, r["n_entries"], members])
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, text.getvalue())
    return packed.getvalue()


def score_text(score: float | None) -> str:
    """Return a score with five decimals, as Kaggle writes it; '' for no score."""
    return "" if score is None else f"{score:.5f}"


def team_id(standing: Row) -> int:
    """Return the number of a team; a team belongs to one competition."""
    return number_of(f"{standing['slug']}/{standing['team']}")


def number_of(name: str) -> int:
    """Return a number for a name that is the same in every run."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
