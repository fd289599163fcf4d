"""A linear model on static vectors: it uses more than the overlap, and has a penalty."""

import numpy as np
import pandas as pd

from fastkaggle_plus.modeling import overlap_model, static_text_model
from fastkaggle_plus.modeling.text.weights import SMALL

from ..phrases import make_phrases


def test_it_uses_words_that_the_overlap_ignores():
    """The same words in common, but the answer is in which other word there is."""
    table = make_phrases(n=400)
    other = np.where(np.arange(400) % 2, "warm", "cold")
    texts = pd.DataFrame({"a": table.texts["anchor"], "b": table.texts["anchor"] + " " + other})
    table = type(table)(
        table.x, (np.arange(400) % 2).astype(float), (), (), "regression", texts=texts
    )
    fit, rows = table.take(np.arange(300)), table.take(np.arange(300, 400))
    static, overlap = (
        m.fit(fit).predict(rows)[:, 0] for m in (static_text_model(SMALL), overlap_model())
    )
    assert np.corrcoef(static, rows.targs)[0, 1] > 0.9 and np.ptp(overlap) < 0.01


def test_more_strength_moves_predictions_to_the_mean():
    table = make_phrases(n=100)
    spread = [
        static_text_model(SMALL, strength=s).fit(table).predict(table).std() for s in (1, 30, 1000)
    ]
    assert spread[0] > 1.2 * spread[1] > 1.2 * 1.2 * spread[2]
