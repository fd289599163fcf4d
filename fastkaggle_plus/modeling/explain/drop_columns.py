"""Columns that can go: fit again without them, and test the difference."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...evidence import Comparison, compare
from ...ui.records import Records, Row
from ..validation import cross_validate
from ..without import without_model
from .fold_models import FoldModels


@dataclass(frozen=True)
class Dropped(Row):
    """The effect of dropping some features on the CV score."""

    features: tuple[str, ...]
    effect: Comparison  # without them, against with them
    why: str = ""  # why they were tried

    @property
    def most_lost(self) -> float:
        """The loss that the 95% interval still allows, in the metric; 0 if it allows none."""
        return max(1.96 * self.effect.se - self.effect.gain, 0.0)

    @property
    def verdict(self) -> str:
        """The paired test's answer: can go | costs | better without."""
        if self.effect.is_noise:
            return "can go"
        return "better without" if self.effect.gain > 0 else "costs"

    def as_row(self) -> dict[str, object]:
        """Return the cells of a table."""
        e, test = self.effect, f"p = {self.effect.p_value:.2g} ({self.effect.test})"
        return {
            "without": ", ".join(self.features),
            "verdict": self.verdict,
            "gain": f"{e.gain:+.4f} ± {e.se:.4f}",
            "loses at most": f"{self.most_lost:.4f}",
            f"{e.metric}": f"{e.a_score:.4f}",
            "tried because": self.why,
            "test": e.test if e.test.startswith("no test") else test,
        }


def drop_columns(
    models: FoldModels,
    groups: Sequence[Sequence[str]],  # features to drop together
    *,
    why: Sequence[str] = (),  # of each group, for the table
) -> Records[Dropped]:
    """Fit the folds again without each group of features, and compare the out-of-fold predictions.

    The test is that of `evidence.compare`. "Can go" means that no loss was found; `most_lost` says
    how large it may still be. Raises UnknownName, and DataError if no feature is left.
    """
    found = []
    for i, features in enumerate(groups):
        model = without_model(models.model, columns=list(features))
        short = features[0] if len(features) == 1 else f"{len(features)} columns"
        preds = cross_validate(
            model,
            models.data,
            models.folds,
            metric=models.preds.scoring,
            name=f"without {short}",
            look_for_groups=False,
            test="folds",
        )
        effect = compare(preds, models.preds)
        found.append(Dropped(tuple(features), effect, why[i] if why else ""))
    return Records(found)
