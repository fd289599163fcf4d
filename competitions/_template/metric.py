"""Score predictions as the competition's page says.

`score` gets the truth and the predictions of the same n rows. `wants` says what they are:

- "label": class codes 0, 1, ..., both (n,). A code is the place of a label among the sorted ones.
- "probability": class codes (n,), and probabilities: (n,) of the second class of two, else
  (n, classes).
- "value": numbers, both (n,), or (n, targets).
- "ranking": class codes (n,), and the k likeliest codes (n, k); add a line k = 5.
"""

import numpy as np

higher_is_better = False
wants = "label"  # label | probability | value | ranking


def score(targs: np.ndarray, preds: np.ndarray) -> float:
    """Return the mean distance of the predictions from the truth."""
    return float(np.mean(np.abs(targs - preds)))
