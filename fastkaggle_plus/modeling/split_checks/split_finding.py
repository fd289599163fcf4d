"""Finding: one result of the checks of a split, with its measured effect and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from ...evidence import Comparison
from ...ui.records import Row

# Clean data should give a finding that calls for action in at most 5% of cases: six families of
# tests share that level (Bonferroni), and each divides its share among its own tests.
FAMILIES = ("shift", "order", "groups", "copies", "copies across folds", "levels")
LEVEL = 0.05 / len(FAMILIES)
_SHOWN_EFFECT = 0.05  # p-value below which an effect on the score counts, once something is found

Severity = Literal["severe", "check", "note"]
_ORDER = ("severe", "check", "note")


@dataclass(frozen=True)
class Finding(Row):
    """One result of the checks of a split."""

    kind: str  # such as "copies across folds"
    column: str  # the column or columns that show it
    found: str  # one sentence
    do: str = ""  # what to do; "": nothing
    effect: Comparison | None = None  # with this split or column, against without; None: unknown
    p_value: float | None = None  # of the test that found it; None: it was not a matter of chance
    test: str = ""  # its name
    is_note: bool = False  # for information: it calls for no action
    split: dict[str, str] = field(default_factory=dict)  # [split] that mimics train -> test

    @property
    def severity(self) -> Severity:
        """severe: it makes scores too good; check: it calls for action; note: for information."""
        if self.is_note:
            return "note"
        return "severe" if self.makes_scores_too_good else "check"

    @property
    def makes_scores_too_good(self) -> bool:
        """Say whether a quick model's score is significantly better because of it."""
        return bool(self.effect and self.effect.gain > 0 and self.effect.p_value < _SHOWN_EFFECT)

    @property
    def measured(self) -> str:
        """The effect on the score of a quick model; "" if it was not measured."""
        if (e := self.effect) is None:
            return ""
        scores = f"{e.metric} {e.a_score:.3f} {e.a}, {e.b_score:.3f} {e.b}"
        facts = f"({scores}; p = {e.p_value:.1g}, {e.test})"
        if self.makes_scores_too_good:
            return f"It makes the score of a quick model too good {facts}."
        return f"A quick model's score shows no effect {facts}."

    def as_row(self) -> dict[str, object]:
        """Return the finding as the cells of a table."""
        found = self.found
        if self.p_value is not None:
            found = f"{found.rstrip('.')} (p = {max(self.p_value, 1e-99):.1g}, {self.test})."
        row = {"severity": self.severity, "kind": self.kind, "column": self.column}
        return {**row, "found": found, "effect": self.measured, "do": self.do}

    def as_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        gain = self.effect.gain if self.effect else None
        facts = {"gain": gain, "p_value": self.p_value, "test": self.test, "split": self.split}
        return {**self.as_row(), **facts}


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, severe ones first, then those with the largest effect."""

    def rank(f: Finding) -> tuple[int, float]:
        return _ORDER.index(f.severity), f.effect.p_value if f.effect else 1.0

    return sorted(findings, key=rank)


def split_advice(
    findings: Iterable[Finding],  # of `check_split`
) -> str:
    """Return the [split] section of competition.toml that mimics train -> test; "" for as it is."""
    split = next((f.split for f in by_severity(findings) if f.split and not f.is_note), {})
    return "\n".join(["[split]", *(f'{k} = "{v}"' for k, v in split.items())]) if split else ""
