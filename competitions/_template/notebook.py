"""A new competition's notebook, in percent format.

`fkp notebook SLUG` renders it, with this folder's other files as cells.
"""
# ruff: noqa: B018

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** no single model family is clearly the best one here, and the average of all of
# them is at least as good as each of them.
#
# This notebook reads the data of [{{slug}}]({{page}}) and trains a list of models on the same
# split. Then we test which differences are real, average the models that we chose before we saw a
# score, and write a checked `submission.csv`. We predict `{{target}}` ({{task}}), and the metric
# is {{metric}}.

# %% [markdown]
# ## Set-up
#
# We use `fastkaggle_plus` for everything around the models: folds, fair comparisons and checked
# submissions. The next cell installs it from the dataset of wheels attached to this notebook. If
# there is none, it installs it from the internet.

# %% standard="install"

# %% [markdown]
# Next, the imports.

# %%
# %matplotlib inline
import random
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import (
    Sweep,
    Vault,
    board,
    check_file,
    compare,
    ensemble,
    folds_for,
    hypothesis_log,
    load_comp,
    run_local,
    setup_comp,
    write_submission,
)
from fastkaggle_plus.notebooks import quick_copy, quick_trials
from fastkaggle_plus.reading import read_rows
from fastkaggle_plus.reporting import (
    plot_calibration,
    plot_importances,
    plot_residuals,
    plot_scores,
)
from fastkaggle_plus.sweeps import trials_of, write_results

# %% [markdown]
# These are the settings that you may want to change. `QUICK = True` is a dry run on a slice of the
# rows with small models. Do one before every long run: it takes a minute. `SEED` sets the split;
# each model has its own seed.

# %% tags=["parameters"]
SLUG = "slug"
QUICK = False
SEED = 42
N_FOLDS = 5

# %% [markdown]
# We set the seed once, here. We also make a folder for the code cells below, because worker
# processes load the code from there. And `neat` shows a table without row numbers.

# %%
random.seed(SEED)
np.random.seed(SEED)
code = Path("code", SLUG)
code.mkdir(parents=True, exist_ok=True)


def neat(frame):
    """Show a table without row numbers, words on the left."""
    words = list(frame.select_dtypes(exclude="number"))
    left = [{"selector": "th", "props": "text-align: left"}]
    plain = frame.style.hide(axis="index").set_table_styles(left)
    return plain.set_properties(subset=words, **{"text-align": "left"})


# %% [markdown]
# Which machine are we on? If there is a GPU, the next cell multiplies two matrices on it, to see
# whether it really works with the installed torch.

# %% standard="gpu"

# %% [markdown]
# ## The competition
#
# These are the facts about the competition: what we predict, how the score is computed, how to
# split the rows. The cell writes them to the folder that we just made, and so do the other code
# cells below. So you can edit a cell and run it again.

# %% inline="competition.toml"

# %% [markdown]
# Where is the data? `setup_comp` finds it on Kaggle, in the new or the old folder layout. On your
# own machine it downloads it.

# %%
comp = load_comp(code)
path = setup_comp(comp.slug)
if QUICK:
    path = quick_copy(comp, path, seed=SEED)
sorted(p.name for p in path.iterdir())

# %% [markdown]
# ## The rows
#
# Always look at the data first. What does a row look like?

# %%
train, test = read_rows(path / comp.train), read_rows(path / comp.test_name(path))
train.head()

# %% [markdown]
# What is in each column, and how many values are missing?

# %%
pd.DataFrame(
    {
        "kind": train.dtypes.astype(str),
        "distinct": train.nunique(),
        "missing in train": train.isna().sum(),
        "missing in test": test.isna().sum(),
    }
)

# %% [markdown] when="data.py"
# ## Features
#
# `read` returns the rows with their features. If a feature is learned from the targets, compute it
# in `in_fold`. There it sees only the training rows of one fold. Otherwise a row could see its own
# answer.

# %% inline="data.py" when="data.py"

# %% [markdown]
# What will the models see? And which columns do they not see, and why?

# %%
data = comp.read(path)
print(f"{len(data.train)} rows to learn from, {len(data.test)} to predict")
print("categories:", ", ".join(data.train.cat_names) or "none")
print("numbers:", ", ".join(data.train.cont_names) or "none")
if data.train.texts is not None:
    print("texts, for language models:", ", ".join(data.train.texts))
for column, why in data.left_out.items():
    print(f"left out: {column} ({why})")
for feature, note in data.notes.items():
    print(f"trees cannot extrapolate: {feature} ({note})")

# %% [markdown]
# ## The split
#
# All models use the same split of the rows into folds, so we can compare their predictions row by
# row. The split is {{split}}. It should be like the organisers' split: if ours is easier, our
# scores are too good. We save it with the output.

# %%
folds = folds_for(comp, data, n_folds=N_FOLDS, seed=SEED)
pd.DataFrame({comp.id: data.ids, "fold": folds.assignment}).to_csv("folds.csv", index=False)
print(
    f"{len(folds)} rows in {folds.n_folds} folds, {folds.kind}, seed {folds.seed}, "
    f"fingerprint {folds.fingerprint()}"
)

# %% [markdown]
# ## The trials
#
# Each trial is one idea, with one line on what we want to learn from it. We also choose here which
# trials go into the ensemble, before we see any score. If we chose them by their scores, the
# ensemble's score would be too good.

# %% inline="models"

# %% inline="trials.py" when="trials.py"

# %% [markdown]
# Here is the same list as a table:

# %%
trials = trials_of(comp, data=data)
if QUICK:
    trials = quick_trials(trials)
neat(
    pd.DataFrame(
        {
            "trial": [t.name for t in trials],
            "hypothesis": [t.hypothesis for t in trials],
            "in the ensemble": ["yes" if t.in_ensemble else "" for t in trials],
        }
    )
)

# %% [markdown]
# ## Training
#
# This function does all the training. It fits each trial on each fold, two trials at a time on two
# cores, and stores what is finished. If you run the cell again, nothing is trained twice.


# %%
def train_all(trials, *, n_folds=N_FOLDS, seed=SEED):
    """Fit each trial on each fold; return one result for each trial."""
    sweep = Sweep(comp.slug, tuple(trials), n_folds, seed)
    return run_local(sweep, comp, path, vault=Vault("vault"), on_result=show_result)


def show_result(result):
    """Print one line on a finished trial."""
    if result.predictions is None:
        print(f"{result.name} failed: {result.error.strip().splitlines()[-1]}")
    else:
        print(result.predictions)


results = train_all(trials)
done = [r.predictions for r in results if r.predictions is not None]

# %% [markdown]
# ## Which differences are real?
#
# The best trial is in the first row. Is it really better than the others? One joint test compares
# all pairs of trials *on the same rows*. A trial that is *worse* loses to another by more
# than chance explains, although we looked at many pairs. The trials *among the best* cannot be
# told apart from the best one. And the best of many trials is partly lucky: the line above the
# table gives its score corrected for this.

# %%
rows = board(results)
print(rows[0].winner)
table = pd.DataFrame(
    {
        "trial": [r.name for r in rows],
        f"out-of-fold {comp.metric}": [r.oof_score for r in rows],
        "standard error": [r.oof_score_se for r in rows],
        "seconds": [r.seconds_s for r in rows],
        "to the best": [r.gain for r in rows],
        "verdict": [r.verdict for r in rows],
    }
)
neat(table).format(precision=4).format("{:.1f}", subset=["seconds"]).format(
    "{:+.4f}", subset=["to the best"]
)

# %% [markdown]
# Here is the same as a picture. Each grey dot is one fold. Look how far apart the dots of one
# model are.

# %%
plot_scores(done)

# %% [markdown]
# ## Which hypotheses hold?
#
# Some trials are *experiments*: each changes one thing of another trial, its base. What was the
# change worth, and is that what we expected? The test compares each experiment with its base on
# the same rows, and its p-value is adjusted for the number of experiments.

# %%
hypothesis_log(results)

# %% [markdown]
# ## Which features does the forest use?
#
# Does it use the features that you expect? If a feature is important but should not be, it is
# often a leak.

# %%
explained = [p for p in done if p.importances]
forests = [p for p in explained if "forest" in p.name]
picture = plot_importances((forests or explained)[0]) if explained else None
picture

# %% [markdown]
# ## The ensemble
#
# Now we combine the trials that we chose above. If the ensemble fits weights, each fold is scored
# with weights fitted on the other folds. Is the ensemble better than its members? The paired test
# answers that.

# %%
members = [r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble]
both = ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "auto"))
print(both)
for member in members:
    print(compare(both, member))

# %% [markdown]
# How far can we trust the predictions? For classes, this plot compares the predicted probabilities
# with what really happened. For a number, it shows the errors.

# %%
picture = plot_residuals(both) if comp.task == "regression" else plot_calibration(both)
picture

# %% [markdown]
# ## What do we keep?
#
# We save the predictions of every trial and of the ensemble, with the model, its parameters, the
# split and its seed. Next week we can compare them with a new idea, or average them with it,
# without training anything again.

# %%
kept = Path("predictions")
kept.mkdir(exist_ok=True)
for preds in [*done, both]:
    preds.save(kept / f"{preds.name.replace(' ', '-').replace(',', '')}.npz")
write_results("results.csv", [*done, both])
columns = ["trial", "oof_score", "oof_score_se", "n_rows", "n_folds", "split", "split_seed"]
neat(pd.read_csv("results.csv")[columns].head(3))

# %% [markdown]
# ## The submission
#
# We match the predictions to the sample submission by id, never by position. Then we check the
# columns, the ids, the order and the values. A file that Kaggle would refuse, or score as
# nonsense, is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
print(f"{len(answers)} rows")
answers.head()

# %% [markdown]
# ## What next?
#
# Look at the rows that every model gets wrong. Think of one idea, add one trial, and see what the
# paired test says. If it says *cannot be told apart*, we have learned something too, and it cost us
# no submission.
