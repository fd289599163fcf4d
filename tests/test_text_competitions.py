"""A new text competition works from its competition.toml alone, with any texts in its cells."""

import csv

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus import load_comp, run, sweep
from fastkaggle_plus.notebooks import quick_copy, quick_trials
from fastkaggle_plus.sandbox import rehearse
from fastkaggle_plus.sweeps import default_trials
from fastkaggle_plus.workflow.callbacks import RunCallbacks

ODD = [
    "NA",
    "null",
    "",
    "007",
    " padded ",
    'said "so", twice',
    "a\nb",
    "a\r\nb",
    "a\rb",
    "😀 e\u0301",
    "שלום עולם",
    "nul\0inside",
    "z " * 5_000,
    "\ufefffirst",
    "1e5",
    "TRUE",
]
WORDS = np.array("gear lens valve cable pump blade sensor frame motor filter nozzle spring".split())
LIGHT = """from fastkaggle_plus import Trial
ENSEMBLE = "mean"
TRIALS = (
    Trial("forest", "forest.forest_model", {"n_estimators": 20}),
    Trial("ridge", "linear.ridge_model"),
)
"""
SINGLE = '[text]\ncolumns = "what it says: all!"'
PAIR = (
    '[text]\ncolumns = ["first", "other"]\ncontext = "topic"\n'
    '[split]\nkind = "group"\ncolumn = "first"'
)
KINDS = {  # task, metric, targets, [text]
    "accuracy": ("binary", "accuracy", ["y"], ""),
    "log_loss": ("binary", "log_loss", ["y"], SINGLE),
    "f1_macro": ("multiclass", "f1_macro", ["y"], ""),
    "pearson": ("regression", "pearson", ["y"], PAIR),
    "mcrmse": ("regression", "mcrmse", ["u", "v"], ""),
}


def make(folder, name, n=150):
    """Write the facts and the csv files; return (competition, data folder, rows).

    One row in eight has an odd text, one in twenty has no target.
    """
    task, metric, target, text = KINDS[name]
    rng = np.random.default_rng(3)
    hidden = rng.normal(size=n)
    first = [
        " ".join([*rng.choice(WORDS, 5), "new" if h > 0.4 else "old" if h < -0.4 else "so"])
        for h in hidden
    ]
    other = [
        " ".join(t.split()[:2] + list(rng.choice(WORDS, 2))) if h < 0 else t
        for t, h in zip(first, hidden, strict=True)
    ]
    first = [ODD[(i // 8) % len(ODD)] if i % 8 == 0 else t for i, t in enumerate(first)]
    rows = pd.DataFrame({"id": [f"{i:03}" for i in range(n)]})
    rows = (
        rows.assign(first=first, other=other, topic=np.where(hidden > 1, "7", "007"))
        if text == PAIR
        else rows.assign(**{"what it says: all!": first})
    )
    value = {
        "binary": (hidden > 0).astype(int),
        "multiclass": np.array(["low", "middling", "high"])[np.digitize(hidden, (-0.4, 0.4))],
        "regression": hidden,
    }
    for i, c in enumerate(target):
        rows[c] = np.where(
            np.arange(n) % 20 == 7,
            "",
            (value[task] if i == 0 else value[task] + rng.normal(size=n)).astype(str),
        )
    (folder / "words").mkdir()
    facts = f'kind = "text"\ntask = "{task}"\nmetric = "{metric}"\nid = "id"\n'
    facts += f"target = {target}\n{text}\n".replace("'", '"')
    (folder / "words/competition.toml").write_text(facts, encoding="utf-8")
    (folder / "data").mkdir()
    for file, part in (("train", rows), ("test", rows.head(9).drop(columns=target))):
        part.to_csv(
            folder / f"data/{file}.csv", index=False, quoting=csv.QUOTE_ALL, lineterminator="\n"
        )
    return load_comp(folder / "words"), folder / "data", rows


def cells(file):
    return pd.read_csv(file, dtype=str, keep_default_na=False)


@pytest.mark.parametrize("name", KINDS)
def test_from_the_facts_to_a_score(tmp_path, monkeypatch, name):
    comp, data, rows = make(tmp_path, name)
    (tmp_path / "words/trials.py").write_text(LIGHT)
    monkeypatch.chdir(tmp_path)
    said = []

    class Told(RunCallbacks):
        def on_step(self, name, message):
            said.append((name, message))

    done = run("./words", data=data, n_folds=3, workers=0, callbacks=Told())
    assert not [r.error for r in done.results if r.failed]
    assert [e["ours"] for e in done.standing.entries] == [
        True,
        False,
    ] and done.standing.private_rank == 1  # before the sample submission
    columns = [c for c in rows if c not in ("id", *comp.target)]
    assert ("texts", f"in the column{'s' if len(columns) > 1 else ''} {', '.join(columns)}") in said
    sent = cells(done.submission)
    assert sent["id"].str.fullmatch(r"\d{3}").all() and len(sent) == pytest.approx(
        0.3 * len(rows) * 0.95, abs=2
    )


@pytest.mark.parametrize("name", ["f1_macro", "pearson"])
def test_a_rehearsal_and_a_quick_copy_keep_every_cell(tmp_path, name):
    comp, data, rows = make(tmp_path, name)
    files = rehearse(comp, data, tmp_path / "bundles") / "files"
    labelled = rows[rows[comp.target[0]] != ""].set_index("id")
    served = pd.concat([cells(files / "train.csv"), cells(files / "test.csv")]).set_index("id")
    for c in served.columns.drop(list(comp.target)):
        assert served[c].to_dict() == labelled[c].to_dict()
    kept = comp.read(quick_copy(comp, data, tmp_path / "quick", rows=90))
    for c in kept.train.texts:
        assert (
            dict(zip(kept.ids, kept.train.texts[c], strict=True)).items()
            <= labelled[c].to_dict().items()
        )


def test_a_local_language_model_is_a_default_trial_and_keeps_its_name_in_a_dry_run(tmp_path):
    comp, *_ = make(tmp_path, "accuracy")
    [trial] = [t for t in default_trials(comp) if t.model == "text.text_model"]
    assert trial.params["arch"].count("/") == 1
    [small] = quick_trials([trial])
    assert small.params == {**trial.params, "epochs": 1, "max_len": 24}
    [bagged] = quick_trials(
        [
            type(trial)(
                "bag",
                "bagging.bag_model",
                {"model": trial.model, "n": 5, "params": {**trial.params, "max_len": 48, "bs": 64}},
            )
        ]
    )
    assert bagged.params["params"] == {
        "arch": trial.params["arch"],
        "epochs": 1,
        "max_len": 24,
        "bs": 32,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["log_loss", "f1_macro", "pearson", "mcrmse"])
def test_a_language_model_learns_from_texts_of_every_kind(tmp_path, monkeypatch, name):
    _, data, _ = make(tmp_path, name, n=90)
    monkeypatch.chdir(tmp_path)
    small = (
        'from fastkaggle_plus import Trial\nPARAMS = {"epochs": 1, "max_len": 24, "freeze": 5}\n'
        'TRIALS = (Trial("language model", "text.text_model", PARAMS),)\n'
    )
    (tmp_path / "words/trials.py").write_text(small)
    [result] = sweep("./words", data=data, n_folds=2, workers=0).results
    assert (
        not result.error
        and np.isfinite(result.predictions.oof).all()
        and np.isfinite(result.predictions.test).all()
    )
    assert (
        result.predictions.oof.shape[1]
        == {"log_loss": 2, "f1_macro": 3, "pearson": 1, "mcrmse": 2}[name]
    )
