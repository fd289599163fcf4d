"""The best of several trials, with a score that is corrected for having chosen the best."""

from collections.abc import Sequence
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

    def _facts(self) -> dict[str, object]:
        return {"name": self.name, "score": str(self)}

    def __str__(self) -> str:
        return (
            f"best {self.metric} {self.score:.4f} ± {self.score_se:.4f}, "
            f"corrected for choosing among {self.n_tried}: {self.corrected:.4f}"
        )


def best_of(
    finished: Sequence[Predictions],  # of one split
    *,
    stopped: Sequence[Sequence[float]] = (),  # fold scores of trials that a search stopped
) -> Winner:
    """Return the best of the trials, and its score corrected for the choice.

    Bootstrap bias correction: draw rows with replacement, choose the best trial on them, and score
    it on the rows that were not drawn; the mean of 1,000 such scores has no luck of choosing.
    It costs no further training. Metrics that are no mean over rows use jackknife pseudo-values.
    Where a search stopped trials, the luck on the first fold, which decided about them, is
    subtracted too. Raises DataError when no trial finished. Source: Tsamardinos, Greasidou and
    Borboudakis, Bootstrapping the out-of-sample predictions for efficient and accurate
    cross-validation (2018).
    """
    if not finished:
        raise DataError("There is no best trial: no trial finished. Read the errors of the trials.")
    sign = 1 if finished[0].scoring.higher_is_better else -1
    best = max(range(len(finished)), key=lambda i: sign * finished[i].oof_score)
    values = sign * np.stack([preds.pseudo_values for preds in finished], 1)  # (n_rows, n_trials)
    luck = _luck_of_rows(values[~np.isnan(values).any(1)], best)
    if stopped:
        scores = sign * np.array([preds.fold_scores for preds in finished])
        firsts = sign * np.array([fold_scores[0] for fold_scores in stopped])
        luck += _luck_of_first_fold(scores, firsts, best)
    won, n_tried = finished[best], len(finished) + len(stopped)
    corrected = won.oof_score - sign * luck
    return Winner(won.name, won.metric, won.oof_score, won.oof_score_se, corrected, n_tried)


def _luck_of_rows(
    values: np.ndarray,  # (n, n_trials): scores of the rows, higher is better
    best: int,
) -> float:
    """Return by how much the score of the best trial exceeds that of the bootstrap's choices."""
    rng = np.random.default_rng(0)
    parts = np.array_split(rng.permutation(len(values)), min(len(values), _MOST_PARTS))
    means = np.stack([values[part].mean(0) for part in parts])
    drawn = rng.multinomial(len(means), np.full(len(means), 1 / len(means)), _BOOTSTRAPS)
    left_out = (drawn == 0).astype(float)
    left_out /= left_out.sum(1, keepdims=True)
    chosen = (drawn @ means).argmax(1)
    scores = left_out @ means
    # against the best trial on the same rows: without it, the mean depends on what was drawn
    return float(np.mean(scores[:, best] - scores[np.arange(_BOOTSTRAPS), chosen]))


def _luck_of_first_fold(
    scores: np.ndarray,  # (n_finished, n_folds), higher is better
    stopped: np.ndarray,  # (n_stopped,) scores on the first fold
    best: int,
) -> float:
    """Return the luck of the best trial on the first fold, in its score over all folds.

    Regression to the mean: the part of its lead that is noise, of all differences on this fold.
    """
    (n_trials, n_folds), firsts = scores.shape, np.append(scores[:, 0], stopped)
    rest = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
    noise = (rest**2).sum() / ((n_trials - 1) * (n_folds - 1)) if n_trials > 1 else np.inf
    spread = firsts.var(ddof=1)
    if not spread > 0:  # equal, or a fold without a score
        return 0.0
    return float(min(noise / spread, 1.0) * (scores[best, 0] - firsts.mean()) / n_folds)
