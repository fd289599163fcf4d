"""The report's answer in short: what the scores mean, and the next step."""

from collections.abc import Sequence

from ..competition import Competition, builtin_folder
from ..sweeps.board import BoardRow
from .digits import p_text, score_text


def findings(
    rows: Sequence[BoardRow],  # of the trials, best first
    combined: BoardRow | None,  # of the ensemble
    *,
    decimals: int,
) -> list[str]:
    """Return what the comparisons say, one sentence each."""
    best, others = rows[0], rows[1:]
    if not others:
        return [f"{_quoted(best.name)} is the only trial: there is nothing to compare it with."]
    found = []
    if combined is not None and combined.to_best is not None:
        test = combined.to_best
        verb = "ties with" if test.is_noise else "beats" if test.gain > 0 else "is worse than"
        gain = score_text(test.gain, decimals, sign=True)
        what = f"The ensemble {verb} the best single trial, {_quoted(best.name)}"
        found.append(f"{what}: {gain} ({p_text(test.p_value)}).")
    ties = [r for r in others if r.to_best and r.to_best.is_noise]
    if not ties:
        found.append(f"{_quoted(best.name)} is better than every other trial (p < 0.05).")
    elif len(ties) == 1:
        found.append(
            f"{_quoted(ties[0].name)} ties with {_quoted(best.name)}: the difference may be luck."
        )
    else:
        found.append(
            f"{len(ties)} of the {len(others)} other trials tie with {_quoted(best.name)}: "
            "their differences may be luck."
        )
    return found


def next_steps(
    comp: Competition,
    rows: Sequence[BoardRow],
    *,
    is_live: bool,
    failed: Sequence[str] = (),  # names of trials
) -> list[tuple[str, str]]:
    """Return what to do next: (command, what it does)."""
    slug = comp.slug
    live = " --live" if is_live else ""
    steps = []
    if failed:
        names = ", ".join(map(_quoted, failed))
        steps.append((f"fkp run {slug}{live}", f"tries {names} again; finished trials are kept"))
    if len(rows) < 2:
        steps.append(
            (f"fkp run {slug}{live}", "with a second trial in trials.py: change one thing")
        )
    elif any(r.to_best and r.to_best.is_noise for r in rows):
        what = "shows how much of a tie is luck of the seed"
        steps.append((f"fkp sweep {slug} --repeats 3{live}", what))
    if not is_live:
        verb = "push" if comp.code_competition else "run"
        what = "does this with your Kaggle account, and submits"
        if comp.folder is None or comp.folder.parent.resolve() != builtin_folder().resolve():
            what = f"if {slug} is a competition on Kaggle: {what}"
        steps.append((f"fkp {verb} {slug} --live", what))
    return steps


def _quoted(name: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}"
