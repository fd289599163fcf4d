"""The metric of a competition's own metric.py: checked when it is read, and at every score."""

import reprlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..exceptions import ConfigError, DataError, error_in_one_line
from .metric import TASKS, Metric


def own_metric(module: ModuleType) -> Metric:
    """Return the metric that a module defines. Its name is the name of the file.

    The module has `score(targs, preds) -> float`, `higher_is_better` and `wants`; for a ranking
    also `k`, the number of answers per row. Raises ConfigError.
    """
    file, found = Path(str(module.__file__)), vars(module)
    if not callable(found.get("score")):
        raise ConfigError(f"{file} has no function score(targs, preds) -> float. Write one.")
    if not isinstance(found.get("higher_is_better"), bool):
        raise ConfigError(
            f"{file}: expected higher_is_better = True or False, "
            f"got {found.get('higher_is_better')!r}."
        )
    if found.get("wants") not in TASKS:
        raise ConfigError(
            f'{file}: expected wants = "{" | ".join(TASKS)}", got {found.get("wants")!r}.'
        )
    k = found.get("k", 0)
    if found["wants"] == "ranking" and not (isinstance(k, int) and k > 0):
        raise ConfigError(
            f"{file}: a ranking needs k, the number of answers per row: add a line k = 5."
        )
    return Metric(
        file.name, found["higher_is_better"], found["wants"], _Score(file, found["score"]), k=k
    )


@dataclass(frozen=True)
class _Score:
    """Calls the user's function with copies, and checks the result."""

    file: Path
    function: Any

    def __call__(self, truth: Any, answers: Any) -> float:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of numpy: the error below says it
                value = self.function(np.array(truth), np.array(answers))
        except Exception as e:
            raise DataError(
                f"{self.file}: score() failed on {len(truth)} rows "
                f"({error_in_one_line(e, self.file)}). Correct it and run again."
            ) from e
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not is_number or not np.isfinite(value):
            shape = getattr(value, "shape", ())
            got = f"an array of shape {shape}" if shape else reprlib.repr(value)
            raise DataError(
                f"{self.file}: score() must return a finite number, got {got} on "
                f"{len(truth)} rows. Correct it and run again."
            )
        return float(value)
