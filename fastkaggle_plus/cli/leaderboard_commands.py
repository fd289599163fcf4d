"""Commands about submissions and their scores: list, place, and plan the next ones."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Option, echo

from ..exceptions import ConfigError
from ..ui.records import joined, shown_score
from . import options
from .going_live import require_live, say_target

if TYPE_CHECKING:
    from ..evidence.gap import Scores
    from ..evidence.placing import Place
    from ..workflow.known_scores import GivenScores
    from ..workflow.plan_submissions import SubmissionPlan

_MOST_SHOWN = 8  # trials that could be sent
_GIVEN_CV = re.compile(r"(\d+)=([-+.\de]+)(?::([.\de-]+))?")

PublicShare = Annotated[
    float | None,
    Option(
        help="Share of the test rows on the public leaderboard. Default: public_share of "
        "competition.toml, else 0.3."
    ),
]
TestRows = Annotated[int | None, Option(help="Number of test rows. Default: of the files sent.")]
GivenCv = Annotated[
    list[str] | None,
    Option("--cv", help="CV score and standard error of a submission: REF=SCORE:SE. Repeatable."),
]


def submissions(
    slug: options.Slug, live: options.Live = False, as_json: options.AsJson = False
) -> None:
    """List your submissions, newest first, with their CV scores where they are known."""
    require_live("submissions", live=live, rehearse=f"rehearse with `fkp run {slug}`")
    from ..kaggle_client import submissions as fetch
    from ..workflow.known_scores import gap_of, open_account
    from .display import show_json, show_submissions

    with open_account(slug, live=live) as account:
        rows = fetch(account.slug, client=account.client)
        scores, gap = gap_of(rows, account)
    cv = {s.ref: s for s in scores}
    if as_json:
        show_json([{**asdict(r), **_cv_json(cv.get(r.ref))} for r in rows])
        return
    show_submissions(rows, cv={ref: _with_error(s) for ref, s in cv.items() if s.cv is not None})
    if gap:
        echo(f"gap: {gap}")


def leaderboard(
    slug: options.Slug,
    top: Annotated[int, Option(help="Number of rows.")] = 20,
    place: Annotated[
        bool, Option("--place", help="Show the private rank and medal to expect instead.")
    ] = False,
    public_share: PublicShare = None,
    test_rows: TestRows = None,
    cv: GivenCv = None,
    live: options.Live = False,
    as_json: options.AsJson = False,
) -> None:
    """Show the leaderboard, or with --place your rank on the private one, with an interval."""
    require_live("leaderboard", live=live, rehearse=f"rehearse with `fkp run {slug}`")
    from .display import show_json, show_leaderboard

    if place:
        from ..workflow.plan_submissions import place_on_leaderboard

        given = _given(public_share, test_rows, cv)
        found, gives_medals, assumed = place_on_leaderboard(slug, live=live, given=given)
        if as_json:
            show_json({**found.as_json(), "gives_medals": gives_medals, "assumed": assumed})
        else:
            _show_place(found, gives_medals=gives_medals, assumed=assumed)
        return
    from ..kaggle_client import leaderboard as fetch

    rows = fetch(slug, top=top)
    if as_json:
        show_json([asdict(r) for r in rows])
    else:
        show_leaderboard(rows)


def plan(
    slug: options.Slug,
    public_share: PublicShare = None,
    test_rows: TestRows = None,
    cv: GivenCv = None,
    write: Annotated[
        bool, Option("--write", help="Write the files of trials that are not sent.")
    ] = False,
    bundles: options.Bundles = None,
    data: options.DataFolder = None,
    seed: options.Seed = 42,
    dest: options.Dest = None,
    live: options.Live = False,
    as_json: options.AsJson = False,
) -> None:
    """Say what to send today, and which two submissions to select at the end. Sends nothing.

    Without --live it plans with the submissions and the trials of the rehearsal.
    """
    from ..workflow.plan_submissions import plan as make_plan
    from .display import show_json

    if live:
        say_target()
    found = make_plan(
        slug,
        live=live,
        dest=dest,
        seed=seed,
        bundles=bundles,
        data=data,
        given=_given(public_share, test_rows, cv),
        write=write,
    )
    if as_json:
        show_json(found.as_json())
    else:
        _show_plan(found)


def _given(public_share: float | None, test_rows: int | None, cv: list[str] | None) -> GivenScores:
    """Check what the user says about the competition. Raises ConfigError."""
    from ..workflow.known_scores import GivenScores

    if public_share is not None and not 0 < public_share < 1:
        raise ConfigError(
            f"Expected --public-share between 0 and 1, as 0.3 for 30%, got {public_share:g}."
        )
    if test_rows is not None and test_rows < 2:
        raise ConfigError(f"Expected --test-rows of at least 2, got {test_rows}.")
    known = {}
    for text in cv or ():
        match = _GIVEN_CV.fullmatch(text)
        try:
            ref, score, se = match.groups() if match else (None, None, None)
            known[int(str(ref))] = float(str(score)), None if se is None else float(se)
        except ValueError:
            raise ConfigError(
                f"Expected --cv as REF=SCORE or REF=SCORE:SE, as in 1234=0.842:0.003, got {text!r}."
            ) from None
    return GivenScores(public_share, test_rows, known)


def _show_place(place: Place, *, gives_medals: bool, assumed: str) -> None:
    from ..workflow.run_progress import step_line

    for name, text in place.lines().items():
        echo(step_line(name, text))
    if not gives_medals:
        echo(
            step_line("", "this competition gives no medals: the bands are those of one that does")
        )
    if assumed:
        echo(step_line("assumed", assumed))


def _show_plan(found: SubmissionPlan) -> None:
    """Show the submissions with their scores, the gap, what to send and what to select."""
    from ..workflow.run_progress import step_line
    from .display import show_table

    chosen = found.pair.refs if found.pair else ()
    header = ["submission", "CV score", "public", "private", "select"]
    cells = [
        [
            s.name,
            _with_error(s),
            shown_score(s.public, 5),
            shown_score(s.private, 5),
            "yes" if s.ref in chosen else "",
        ]
        for s in found.scores
    ]
    if cells:
        show_table(header, cells, numbers=(1, 2, 3))
    if found.gap:
        echo(step_line("gap", str(found.gap)))
    echo(step_line("left", found.left))
    useful = [c for c in found.candidates if c.is_useful]
    for i, c in enumerate(useful[:_MOST_SHOWN]):
        gain = f", expected gain of the final choice {c.gain:.5f}" if c.against else ""
        echo(step_line("" if i else "send", f"{c.name} (CV {c.cv:.4f}): {c.what}{gain}"))
    if others := [c for c in found.candidates if not c.is_useful]:
        names = joined([c.name for c in others], _MOST_SHOWN)
        text = f"{names} differ from {others[0].against} by less than the public part can show"
        echo(step_line("no use", text))
    if not found.candidates:
        echo(step_line("send", "nothing: every trial in the vault was sent"))
    for name, file in found.files.items():
        live = f'fkp submit {found.comp.slug} --live -f {file} -m "{name}"'
        echo(step_line("file", live if found.is_live else str(file)))
    if found.pair:
        refs = " and ".join(map(str, found.pair.refs))
        echo(step_line("select", f"{refs}: {found.pair.why}"))
        if found.is_live:
            page = f"{found.comp.page}/submissions"
            echo(step_line("", f"Kaggle has no API for it: tick these numbers on {page}"))
    if found.assumed:
        echo(step_line("assumed", found.assumed))


def _with_error(s: Scores) -> str:
    if s.cv is None:
        return ""
    return f"{s.cv:.4f}" + ("" if s.se is None else f" ± {s.se:.4f}")


def _cv_json(s: Scores | None) -> dict[str, float | None]:
    return {"cv_score": s.cv if s else None, "cv_score_se": s.se if s else None}


COMMANDS = (submissions, leaderboard, plan)
