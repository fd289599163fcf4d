"""Every family is the same after it was saved, moved, and loaded in another process."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from .families import IMAGES, SCRATCH, TABLES, TEXTS, VALUES, folder_name, save_all

NAMES = [folder_name(n, "multiclass") for n in TABLES]
NAMES += [folder_name(n, "regression") for n in VALUES]
NAMES += [folder_name(n, "binary") for n in SCRATCH]
NAMES += [folder_name(n, "multiclass") for n in IMAGES]
NAMES += [folder_name(n, t) for n in TEXTS for t in ("regression", "multiclass")]
NAMES += ["ensemble-binary"]
SCRIPT = """
import pickle, sys, traceback
from pathlib import Path
from fastkaggle_plus.modeling import load_model

rows, found = pickle.loads(Path(sys.argv[1]).read_bytes()), {}
for name, x in rows.items():
    try:
        model = load_model(Path(sys.argv[2]) / name)
        found[name] = model.predict(x), model.predict(x[:1]), model.card.cv_score
    except Exception:
        found[name] = traceback.format_exc()
Path(sys.argv[1] + ".out").write_bytes(pickle.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return for each family (predictions in training, those of a fresh process, of one row)."""
    folder = tmp_path_factory.mktemp("final")
    trained = save_all(folder)
    (folder / "saved").rename(folder / "moved elsewhere")
    rows, empty_home = folder / "rows", folder / "home"
    rows.write_bytes(pickle.dumps({name: x for name, (_, x) in trained.items()}))
    variables = {"FKP_HOME": str(empty_home), "HF_HUB_OFFLINE": "1", "HF_HOME": str(empty_home)}
    command = [sys.executable, "-c", SCRIPT, str(rows), str(folder / "moved elsewhere")]
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, **variables})
    found = pickle.loads((folder / "rows.out").read_bytes())
    assert not (empty_home / "cache").exists()  # nothing about the rows stays on the disk
    return {
        name: (trained[name][0], found[name], folder / "moved elsewhere" / name) for name in trained
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_process_gives_the_same_answers(answers, name):
    trained, loaded, folder = answers[name]
    assert not isinstance(loaded, str), loaded
    preds, one, cv_score = loaded
    np.testing.assert_allclose(preds, trained, rtol=0, atol=1e-6)
    if name != "fine-tuned-images-multiclass":  # the random views depend on the batch
        np.testing.assert_allclose(one, trained[:1], rtol=0, atol=1e-5)
    assert cv_score is not None
    assert not list(folder.rglob("*.pkl")) + list(folder.rglob("*.joblib"))


def test_the_card_has_the_facts(answers):
    facts = json.loads((answers["forest-multiclass"][2] / "model.json").read_text())
    card = facts["card"]
    assert card["vocab"] == ["a", "b", "c"] and card["task"] == "multiclass"
    assert card["columns"] == {
        "color": "category",
        "shape": "category",
        "size": "float64",
        "weight": "float64",
    }
    assert card["made"] == "fit on all 240 rows" and 0.5 < card["cv_score"] < 1
    assert "scikit-learn" in card["versions"] and "torch" not in card["versions"]
    assert "CV score" in (answers["forest-multiclass"][2] / "model_card.md").read_text()
