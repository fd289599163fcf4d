"""The report's answer in short: what the scores mean, and the next step."""

from collections.abc import Sequence

from ..competition import Competition, builtin_folder
from ..sweeps.board import AMONG, BoardRow
from .digits import p_text, score_text

_VERBS = {  # by the outcome of the ensemble
    "better": "is better than",
    "worse": "is worse than",
    "cannot be told apart": "cannot be told apart from",
}


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
    if combined is not None and combined.p_value is not None:
        what = f"The ensemble {_VERBS[combined.outcome]} the best single trial"
        gain = score_text(combined.gain, decimals, sign=True)
        how = f"{gain} ({combined.test}, {p_text(combined.p_value)})"
        found.append(f"{what}, {_quoted(best.name)}: {how}.")
    ties = [row for row in others if row.outcome == AMONG]
    if not ties:
        found.append(f"{_quoted(best.name)} is better than every other trial.")
    else:
        who = _quoted(ties[0].name) if len(ties) == 1 else f"{len(ties)} of {len(others)} trials"
        rest = "" if len(ties) == len(others) else " The others are worse."
        found.append(f"{who} cannot be told apart from the best, {_quoted(best.name)}.{rest}")
    if (chosen := best.winner) and chosen.n_tried > 1:
        low, high = (score_text(end, decimals) for end in (chosen.low, chosen.high))
        corrected = f"{score_text(chosen.corrected, decimals)} (95% interval {low} to {high})"
        found.append(
            f"The best of {chosen.n_tried} is partly lucky: corrected for this, the score of "
            f"{_quoted(best.name)} is {corrected}."
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
    elif any(row.outcome == AMONG for row in rows):
        what = "repeats the trials with other seeds and splits, to compare recipes"
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
