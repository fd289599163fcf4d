"""Titanic's notebook, in percent format.

`fkp notebook titanic` renders it, with this folder's other files as cells.
"""
# ruff: noqa: B018

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** women and children lived or died together with their group. Several models that
# know this, but make different mistakes, are more reliable together than any one of them alone.
#
# In this notebook we go through a whole competition. We look at the data, make features, and train
# a list of models on the same split. Then we test which differences are real, average the models
# that we chose *before* we saw a score, and write a checked `submission.csv`.
#
# It builds on fast.ai's lessons 5 and 6 ([linear model and neural net from
# scratch](https://www.kaggle.com/code/jhoward/linear-model-and-neural-net-from-scratch), [how
# random forests really work](https://www.kaggle.com/code/jhoward/how-random-forests-really-work)).
# You need neither the internet nor a GPU.

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

import matplotlib.pyplot as plt
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
from fastkaggle_plus.reporting import (
    plot_calibration,
    plot_confusion,
    plot_importances,
    plot_scores,
)
from fastkaggle_plus.sweeps import trials_of, write_results

# %% [markdown]
# These are the settings that you may want to change. `QUICK = True` is a dry run on a slice of the
# rows with small models. Do one before every long run: it takes a minute. `SEED` sets the split;
# each model has its own seed.

# %% tags=["parameters"]
SLUG = "titanic"
QUICK = False
SEED = 42
N_FOLDS = 5

# %% [markdown]
# We set the seed once, here. We also make a folder for the code cells below, because worker
# processes load the code from there. And `neat` shows a table without row numbers.

# %%
random.seed(SEED)
np.random.seed(SEED)
plt.rcParams.update({"figure.dpi": 100, "axes.spines.top": False, "axes.spines.right": False})
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
# whether it really works with the installed torch. Titanic is so small that a CPU is enough.

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
# ## A look at the passengers
#
# Always look at the data first. Each row is a passenger.

# %%
train, test = pd.read_csv(path / comp.train), pd.read_csv(path / comp.test)
train.head()

# %% [markdown]
# Which columns have missing values, and how many?

# %%
gaps = pd.DataFrame({"train": train.isna().sum(), "test": test.isna().sum()})
gaps.query("train > 0 or test > 0").astype("Int64")

# %% [markdown]
# `Age` has gaps, and `Cabin` is mostly unknown. Now the one picture that explains most of this
# competition: who survived, by sex and class?

# %%
rates = train.groupby(["Pclass", "Sex"])["Survived"].mean().unstack()
axes = rates.plot.bar(figsize=(6, 3), color=["#d9822b", "#2f6f9f"], rot=0)
axes.set(title="Who survived", xlabel="class", ylabel="share that survived", ylim=(0, 1))
axes.legend(title="", frameon=False)
plt.show()

# %% [markdown]
# ## Features
#
# What do we know about a passenger? Who they were, with whom they travelled, where, and for how
# much. First we say which columns we need, which features are categories, and which are numbers.

# %% inline="data.py" until="EVEN"

# %% [markdown]
# The library calls `read`. It returns all rows with their features.

# %% inline="data.py" until="read"

# %% [markdown]
# There are two kinds of features. Some are *learned*, like the median age for each title. We learn
# those from the training rows only. Others are only *counted*, like the number of people on one
# ticket. We may count over all rows. `Alone` is 1 for people without any relatives on board.

# %% inline="data.py" until="add_features"

# %% [markdown]
# A title says more than the sex. A *Master* is a boy, and boys were saved together with the women.
# We take the text between the comma and the dot. The pattern must be a raw string: otherwise it
# matches nothing, and the whole column is missing without any error. We will check that below.

# %% inline="data.py" until="titles"

# %% [markdown]
# We know few cabins, so we put neighbouring decks together.

# %% inline="data.py" until="decks"

# %% [markdown]
# Now our hypothesis. A *party* is a group of people who share a ticket, or who share the surname,
# the class, the port, and the ticket number except for its last digit. We follow both relations
# until nothing changes. So we also find the friends of cousins.

# %% inline="data.py" until="parties"

# %% [markdown]
# This is the only feature that uses the target: how many women and children of the same party
# survived? We compute it **inside each fold**, from the training rows of that fold. For a training
# row we leave out the row itself. Otherwise every passenger would give away their own answer, and
# our out-of-fold score would be far too good.

# %% inline="data.py"

# %% [markdown]
# Let's read the rows. Did we find the titles?

# %%
data = comp.read(path)
titles = data.train.x["Title"].value_counts(dropna=False).rename("passengers").to_frame()
titles["survived"] = pd.Series(data.targs).groupby(data.train.x["Title"].to_numpy()).mean()
titles.round(2)

# %% [markdown]
# ## The split
#
# All models use the same split of the rows into folds, so we can compare their predictions row by
# row. The split is {{split}}; the organisers seem to have split the rows in the same way. We save
# it with the output.

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
# One model is our own: men die, and women and boys share the fate of their party. It learns three
# survival rates, and then looks at the party.

# %% inline="women_and_children.py"

# %% [markdown]
# Each trial is one idea, with one line on what we want to learn from it. We start with a single
# rule, continue with the nets of lesson 5, and end with boosted trees. We also choose here which
# trials go into the ensemble, before we see any score. If we chose them by their scores, the
# ensemble's score would be too good.

# %% inline="trials.py"

# %% [markdown]
# Here is the same list as a table:

# %%
trials = quick_trials(trials_of(comp)) if QUICK else trials_of(comp)
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
# all pairs of trials *on the same passengers*. A trial that is *worse* loses to another by more
# than chance explains, although we looked at many pairs. The trials *among the best* cannot be
# told apart from the best one. And the best of many trials is partly lucky: the line above the
# table gives its score corrected for this.
#
# With fewer than a thousand passengers, the standard error is about one and a half points. Most
# differences on Titanic's leaderboard are smaller than that.

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
# model are. A single train/validation split would have shown us only one of them.

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
# Does it use the features that we expect? The bars show the forest's own feature importances: each
# feature's share of what the splits of the trees gain.

# %%
forest = next((p for p in done if p.name == "random forest"), None)
picture = plot_importances(forest) if forest else None
picture

# %% [markdown]
# ## The ensemble
#
# Now we average the trials that we chose above. A plain mean has no weights to fit. Is it better
# than its members? The paired test answers that. Where it says *cannot be told apart*, our
# hypothesis is neither confirmed nor refuted. Then we still submit the average: we chose it
# beforehand, and it depends less on luck.

# %%
members = [r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble]
both = ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "auto"))
print(both)
for member in members:
    print(compare(both, member))

# %% [markdown]
# A submission needs only 0 or 1. But the probabilities show us whether the model knows when it is
# unsure. On the diagonal, 70% of the passengers with a prediction of 70% survived.

# %%
plot_calibration(both)

# %% [markdown]
# Which mistakes does it make? Does it miss survivors, or does it predict too many?

# %%
plot_confusion(both)

# %% [markdown]
# When was it sure, and wrong? This is the most useful table. Read the names of these passengers
# before you think of a new feature.

# %%
truth = both.oof[np.arange(len(both.targs)), both.targs]
surprises = data.raw_train.assign(**{"probability of the truth": truth}).nsmallest(
    8, "probability of the truth"
)
shown = ["Name", "Sex", "Age", "Pclass", "Ticket", "Survived", "probability of the truth"]
neat(surprises[shown]).format(precision=2)

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
# We match the predictions to the sample submission by passenger, never by position. Then we check
# the columns, the ids, the order and the labels. A file that Kaggle would refuse, or score as
# nonsense, is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
survive = answers[comp.target[0]].astype(int).mean()
print(f"{len(answers)} rows; {survive:.0%} survive, and in training {np.mean(data.targs):.0%}")
answers.head()

# %% [markdown]
# ## What next?
#
# Take one idea from the passengers that surprised us, add one trial, and see what the paired test
# says. If it says *cannot be told apart*, we have learned something too, and it cost us no
# submission.
