"""The page on fastai's text learner: its code blocks run as the files of a competition."""

import re
from pathlib import Path

import numpy as np

from fastkaggle_plus import sweep

from ..modeling.phrases import make_phrases

PAGE = Path(__file__).parents[2] / "docs/texts-fastai-learner.md"


def test_the_learner_of_the_page_learns(tmp_path, monkeypatch):
    learner, trials = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    words, data = tmp_path / "words", tmp_path / "data"
    words.mkdir()
    data.mkdir()
    (words / "my_learner.py").write_text(learner, encoding="utf-8")
    (words / "trials.py").write_text(trials, encoding="utf-8")
    (words / "competition.toml").write_text(
        'kind = "text"\ntask = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "label"\n'
    )
    table = make_phrases("binary", n=220)
    rows = table.texts.assign(id=np.arange(220), label=table.targs)
    rows.to_csv(data / "train.csv", index=False)
    rows.drop(columns="label").head(9).to_csv(data / "test.csv", index=False)
    monkeypatch.chdir(tmp_path)
    [result] = sweep("./words", data=data, n_folds=2, workers=0).results
    assert not result.error
    preds = result.predictions
    np.testing.assert_allclose(preds.oof.sum(1), 1, atol=1e-4)
    assert np.isfinite(preds.test).all() and preds.test.shape[1] == 2
    constant = np.bincount(table.targs).max() / len(table)
    assert preds.oof_score > constant + 0.15
