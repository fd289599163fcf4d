"""The best of several trials, with a score that is corrected for having chosen the best."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..exceptions import DataError
from ..predictions import Predictions
from ..ui.records import Shown

_BOOTSTRAPS = 1_000
_MOST_PARTS = 1_000  # more rows are drawn in groups, which is as precise and needs less memory


@dataclass(frozen=True, repr=False)
class Winner(Shown):
    """The best of several trials: its score, and the score to expect of it on new rows."""

    name: str
    metric: str
    score: float  # too good: of many trials, the best is partly the luckiest
    score_se: float
    corrected: float  # an estimate without this luck
    n_tried: int  # trials that it was chosen from
    n_finished: int  # of them; the correction knows only these

    def _facts(self) -> dict[str, object]:
        return {
            "name": self.name,
            "best": f"{self.metric} {self.score:.4f} ± {self.score_se:.4f}",
            "corrected": f"{self.corrected:.4f}, for choosing among {self._chosen_from}",
        }

    def __str__(self) -> str:
        return (
            f"best {self.metric} {self.score:.4f} ± {self.score_se:.4f}, "
            f"corrected for choosing among {self._chosen_from}: {self.corrected:.4f}"
        )

    @property
    def _chosen_from(self) -> str:
        finished = f" ({self.n_finished} finished)" if self.n_finished < self.n_tried else ""
        return f"{self.n_tried}{finished}"


def winner(
    members: Iterable[Predictions | None],  # of one split; None: a trial without predictions
) -> Winner:
    """Return the best of the trials, and its score corrected for the choice.

    Bootstrap bias correction: draw rows with replacement, choose the best trial on them, and score
    it on the rows that were not drawn; the mean of 1,000 such scores has no luck of choosing.
    It costs no further training. Metrics that are no mean over rows use jackknife pseudo-values.
    It does not know trials without predictions: where a search stopped many, some luck is left.
    Raises DataError when no trial has predictions. Source: Tsamardinos, Greasidou and Borboudakis,
    Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation (2018).
    """
    tried = list(members)
    if not (finished := [preds for preds in tried if preds is not None]):
        raise DataError("There is no best trial: no trial finished. Read the errors of the trials.")
    sign = 1 if finished[0].scoring.higher_is_better else -1
    best = max(range(len(finished)), key=lambda i: sign * finished[i].oof_score)
    values = sign * np.stack([preds.pseudo_values for preds in finished], 1)  # (n_rows, n_trials)
    luck = _luck(values[~np.isnan(values).any(1)], best)
    name, metric, score = finished[best].name, finished[best].metric, finished[best].oof_score
    se = finished[best].oof_score_se
    return Winner(name, metric, score, se, score - sign * luck, len(tried), len(finished))


def _luck(
    values: np.ndarray,  # (n, n_trials): scores of the rows, higher is better
    best: int,
) -> float:
    """Return by how much the score of the best trial exceeds that of the bootstrap's choices."""
    rng = np.random.default_rng(0)
    parts = np.array_split(rng.permutation(len(values)), min(len(values), _MOST_PARTS))
    means = np.stack([values[part].mean(0) for part in parts if len(part)])
    drawn = rng.multinomial(len(means), np.full(len(means), 1 / len(means)), _BOOTSTRAPS)
    left_out = (drawn == 0).astype(float)
    left_out /= left_out.sum(1, keepdims=True)
    chosen = (drawn @ means).argmax(1)
    scores = left_out @ means
    # against the best trial on the same rows: without it, the mean depends on what was drawn
    return float(np.mean(scores[:, best] - scores[np.arange(_BOOTSTRAPS), chosen]))
