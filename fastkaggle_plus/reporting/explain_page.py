"""The answers to questions to a table's model, as one static HTML page with plots."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from ..files import write_atomically
from ..ui.records import Row
from .explain_plots import plot_dendrogram, plot_dependence, plot_permutation, plot_waterfall
from .page import hardware, page_template
from .svg import as_svg

if TYPE_CHECKING:
    from ..modeling import Explanation

_NUMBER = re.compile(r"[-+\d][\d.,e+\- ±]*(to [-+\d.,e]+)?")
_MOST_PAIRS = 3  # of an interaction


@dataclass(frozen=True)
class Section:
    """One question with its answer."""

    id: str
    question: str
    answer: str
    note: str = ""  # how it was measured
    plots: Sequence[Figure | None] = ()
    table: Sequence[Row] = ()

    @property
    def svgs(self) -> list[str]:
        """The plots as SVG."""
        return [as_svg(figure, alt=self.question) for figure in self.plots if figure]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the table, its header first."""
        cells = [{k: str(v) for k, v in row.as_row().items()} for row in self.table]
        return [list(cells[0]), *(list(row.values()) for row in cells)] if cells else []

    @property
    def styles(self) -> list[str]:
        """The style of each column: n for numbers."""
        columns = zip(*self.rows[1:], strict=True)
        return ["n" if all(map(_NUMBER.fullmatch, c)) else "words" for c in columns]


def write_explanation(
    file: str | Path,
    explanation: Explanation,
    *,
    title: str = "",  # of the competition
    name: str = "",  # of the trial; default: the model's
    again: str = "",  # the command that writes the page again
) -> Path:
    """Write the page and return its path. It loads nothing from the network."""
    models = explanation.models
    html = page_template("explain.html.jinja").render(
        title=title,
        name=name or models.model.name,
        preds=models.preds,
        metric=models.preds.scoring,
        models=models,
        sections=sections(explanation),
        again=again,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        hardware=hardware(),
    )
    write_atomically(Path(file), html)
    return Path(file)


def sections(explanation: Explanation) -> list[Section]:
    """Return the questions that this model could answer, in the order of the page."""
    e, said = explanation, explanation.answers
    metric = e.models.preds.metric
    pairs = [plot_dependence(e.interactions[0].dependence)] if e.interactions else []
    found = [
        Section(
            "importance",
            "Which columns matter?",
            said["importance"],
            "Each fold's model predicts its validation rows again with a column shuffled among "
            "them, with all features made of it. Columns that say the same are also shuffled "
            "together: alone, each looks unimportant.",
            [plot_permutation(e.importances, metric=metric)],
        ),
        Section(
            "go",
            "Which columns can go?",
            said["can go"],
            "The folds are fitted again without them. “Can go” means that the paired test found no "
            "loss; “loses at most” is the largest loss in its 95% interval.",
            table=e.dropped,
        ),
        Section(
            "redundant",
            "Which features say the same?",
            said["redundant"],
            plots=[plot_dendrogram(e.redundancy)],
        ),
        Section(
            "dependence",
            "How does the prediction change with a column?",
            said.get("interaction", ""),
            "The mean prediction if every row had this value, the rest of the row as it is. H is "
            "the share of the joint effect of two columns that is not the sum of their effects.",
            [*map(plot_dependence, e.dependences), *pairs],
            e.interactions[:_MOST_PAIRS],
        ),
        Section(
            "row",
            "Why this prediction?",
            said["row"],
            f"By {e.parts.method}.",
            [plot_waterfall(e.parts)],
        ),
        Section(
            "confidence",
            "Where is the forest unsure?",
            said.get("confidence", ""),
            "Rows by the standard deviation (SD) of their trees' predictions.",
            table=e.spread,
        ),
        Section(
            "domain",
            "Do the test rows differ from the training rows?",
            said.get("train or test", ""),
            "AUC of a classifier on rows that it was not fitted on; 0.5 is chance. The score "
            "without these columns is in “Which columns can go?”.",
        ),
        Section(
            "beyond",
            "What happens beyond the training range?",
            said.get("beyond", ""),
            "",
            [plot_dependence(e.beyond)] if e.beyond else [],
        ),
    ]
    return [s for s in found if s.answer or s.table]
