"""One prediction taken apart: a start, and what each column adds to it until the prediction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...exceptions import DataError, UnknownName
from ...ui.records import Shown
from .fold_models import FoldModels
from .prediction_parts import exact_parts, sampled_parts


@dataclass(frozen=True, repr=False)
class Contributions(Shown):
    """A prediction as a sum: start + all parts = end."""

    id: str  # of the row
    truth: str
    output: str  # what the parts add up to
    method: str
    start: float  # without knowing the row
    parts: Mapping[str, float]  # by column, the largest first
    values: Mapping[str, str]  # of the row, by column

    @property
    def end(self) -> float:
        """The prediction."""
        return self.start + sum(self.parts.values())

    def _facts(self) -> dict[str, object]:
        rows = {f"{c} = {self.values[c]}": f"{part:+.4g}" for c, part in self.parts.items()}
        facts = {"row": f"{self.id}, truth {self.truth}", "start": f"{self.start:.4g}"}
        return {**facts, **rows, self.output: f"{self.end:.4g}", "method": self.method}


def contributions(
    models: FoldModels,
    id: Any,  # of a training row; its fold's model predicts it
) -> Contributions:
    """Take the out-of-fold prediction of a row apart.

    Exact for a tree and a forest (the change of the mean at each split of the row's path, as in
    treeinterpreter), and for LightGBM, XGBoost and CatBoost (their own tree SHAP, in the raw score:
    log-odds of classes). Other models get Shapley values from random orders of the columns, against
    rows of the same fold. The sum is the prediction in each case. Raises UnknownName, DataError.
    Sources: Saabas (2014); Lundberg et al. (2018); Štrumbelj and Kononenko (2014).
    """
    ids, data = models.data.ids.astype(str).tolist(), models.data
    if str(id) not in ids:
        raise UnknownName("id of a training row", str(id), ids)
    row = ids.index(str(id))
    fold = next((k for k, rows in enumerate(models.rows) if row in rows), None)
    if fold is None:
        raise DataError(f"Row {id} is not validated by any of these folds. Choose another row.")
    fitted, whole = models.fitted[fold], models.tables[fold]
    table = whole.take(np.flatnonzero(models.rows[fold] == row))
    fit_rows, _ = list(models.folds.splits())[fold]
    classes = np.unique(data.targs[fit_rows]) if data.vocab else None
    place, output = models.output_of(models.preds.oof[row])
    output = f"log(1 + {output})" if models.is_log else output
    found = exact_parts(fitted, table, place, classes)
    method, start, by_feature = found or sampled_parts(fitted, table, whole, place, models.sources)
    if data.vocab and method.endswith("SHAP"):
        output = output.replace("probability", "raw score (log-odds)")
    parts = {c: sum(by_feature.get(f, 0.0) for f in fs) for c, fs in models.sources.items()}
    known = {c: table.x[fs[0]].iloc[0] for c, fs in models.sources.items()}
    known |= {c: v for c, v in data.raw_train.iloc[row].items() if c in known}
    truth = data.vocab[data.targs[row]] if data.vocab else f"{np.ravel(data.targs[row])[0]:.6g}"
    values = {c: f"{v:.6g}" if isinstance(v, float) else str(v) for c, v in known.items()}
    ranked = dict(sorted(parts.items(), key=lambda part: -abs(part[1])))
    return Contributions(ids[row], str(truth), output, method, start, ranked, values)
