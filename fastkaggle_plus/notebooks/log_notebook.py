"""Write the hypothesis log as a notebook: a story with a section for each hypothesis."""

import os
from collections.abc import Iterator
from pathlib import Path

from ..exceptions import DataError
from ..files import write_atomically
from ..sweeps.hypothesis_log import TIE, HypothesisLog, LogEntry
from ..sweeps.vault import Vault
from .execute import executed
from .render import Rendered, make_notebook

_STORY = """\
# {slug}: what worked, and what did not

Each of these {n} trials has one line on what we wanted to learn. Where a trial changes one \
thing of another, a paired test on the same rows says what the change is worth. Nothing is trained \
here: we read the predictions that the trials left.

**In short:** {summary}

The metric is {metric}, and {direction} is better. A positive gain is better. ± is one standard \
error."""
_SET_UP = """\
from dataclasses import replace

from fastkaggle_plus import Vault, compare, compare_recipes, load_comp
from fastkaggle_plus.reporting import plot_gains, plot_scores
from fastkaggle_plus.sweeps import find_predictions

vault = Vault("{vault}"{scoring})


def trial(name, version=""):
    \"\"\"Return the predictions of a trial, in one of its versions.\"\"\"
    [preds] = find_predictions(vault, "{slug}", [f"{{name}}@{{version}}" if version else name])
    return replace(preds, name=name)"""
_GAINS = """\
## Which changes helped?

Each dot is the gain of a trial over its base, with two standard errors. A diamond is the gain \
that we expected. A bar that crosses the line at zero may be luck."""
_NEXT = """\
## What next?

Look at the rows that the best trial gets wrong. Think of one idea, write down the gain that you \
expect, and run it. A change that does not help is an answer too, and it costs no submission."""
_OPEN = """\


Some changes are still open, because a gain of their size may be luck. More seeds and splits say \
more:

```
fkp sweep {slug} --repeats 3 {names}
```"""


def write_log_notebook(
    log: HypothesisLog,
    file: str | Path,
    *,
    vault: Vault,
    slug: str,
    folder: str | Path | None = None,  # of a competition with a metric.py
) -> Path:
    """Write the story of a log as a notebook, run it, and keep what its cells show.

    Raises DataError without a result, MissingExtra, and NotebookError if a cell fails.
    """
    if not any(entry.preds for entry in log):
        raise DataError(f"No trial of {slug} has a result to show. Run `fkp sweep {slug}` first.")
    file = Path(file)
    scoring = f', scoring=load_comp("{_path_from(file, folder)}").scoring' if folder else ""
    set_up = _SET_UP.format(slug=slug, vault=_path_from(file, vault.folder), scoring=scoring)
    notebook = make_notebook(list(_cells(log, slug, set_up)))
    write_atomically(file, Rendered(executed(notebook, folder=file.parent), {}).text)
    return file


def _cells(log: HypothesisLog, slug: str, set_up: str) -> Iterator[tuple[str, str]]:
    """Yield (type, source) of the notebook's cells."""
    first = next(entry.preds for entry in log if entry.preds)
    direction = "higher" if first.scoring.higher_is_better else "lower"
    facts = {"slug": slug, "n": len(log), "metric": first.metric, "direction": direction}
    yield "markdown", _STORY.format(summary=log.summary, **facts)
    yield "code", set_up
    if tested := [entry for entry in log if entry.gain]:
        yield "markdown", _GAINS
        calls = "".join(f"    {_comparison(*_sides(entry))},\n" for entry in tested)
        expected = [entry.trial.expect for entry in tested]
        yield "code", f"gains = [\n{calls}]\nplot_gains(gains, expected={expected})"
    for number, entry in enumerate(log, 1):
        yield from _section(number, entry)
    names = " ".join(f'--trials "{e.trial.name}"' for e in log if e.verdict == TIE)
    yield "markdown", _NEXT + (_OPEN.format(slug=slug, names=names) if names else "")


def _section(number: int, entry: LogEntry) -> Iterator[tuple[str, str]]:
    """Yield the cells of one hypothesis: what changed, the test, what the data say."""
    trial = entry.trial
    title = f"## {number}. {trial.hypothesis or trial.name}\n\n"
    if trial.base:
        expected = "We did not write down which gain we expected."
        if entry.is_predicted:
            expected = f"Before it ran, we expected a gain of {trial.expect:+.4f}."
        changed = f"**{trial.name}** is {trial.base} with {entry.change or 'a change'}."
        yield "markdown", f"{title}{changed} {expected}"
    else:
        yield "markdown", f"{title}**{trial.name}** is a starting point: it has no base."
    if entry.gain:
        new, old = _sides(entry)
        yield "code", f"print({_comparison(new, old)})\nplot_scores([{', '.join(new + old)}])"
        measured, _, verdict = entry.answer.rpartition(": ")
        p_value = f"p = {entry.gain.p_value:.2g} ({entry.test}), adjusted {entry.p_adjusted:.2g}"
        yield "markdown", f"We {measured}: **{verdict}**. {p_value}."
    elif entry.preds:
        yield "code", f'print(trial("{trial.name}", "{entry.version}"))'
        yield "markdown", f"Its answer is {entry.note}."
    else:
        yield "markdown", f"There is no answer yet: {entry.note}."


def _sides(entry: LogEntry) -> tuple[list[str], list[str]]:
    """Return the code of what was compared: a trial and its base, or the repeats of both."""
    base = entry.trial.base.removesuffix("@before").removesuffix(f"@{entry.base_version}")
    if not entry.repeats:
        call = f'trial("{entry.trial.name}", "{entry.version}")'
        return [call], [f'trial("{base}", "{entry.base_version}")']
    ends = ["" if k == 1 else f" #{k}" for k in entry.repeats]
    new, old = ([f'trial("{name}{end}")' for end in ends] for name in (entry.trial.name, base))
    return new, old


def _comparison(new: list[str], old: list[str]) -> str:
    if len(new) == 1:
        return f"compare({new[0]}, {old[0]})"
    return f"compare_recipes([{', '.join(new)}], [{', '.join(old)}])"


def _path_from(file: Path, folder: str | Path) -> str:
    return Path(os.path.relpath(folder, file.parent)).as_posix()
