"""Titanic's notebook, in percent format.

`fkp notebook titanic` renders it, with this folder's other files as cells.
"""
# ruff: noqa: B018, F403, F405

# %% [markdown]
# # {{title}}
#
# Women and children went into the boats first. But who was saved with them, and who stayed behind
# with them? In this notebook we look for the answer in a list of passengers.
#
# **Hypothesis:** women and children lived or died together with their group. Several models that
# know this, but make different mistakes, are more reliable together than any one of them alone.
#
# We look at the data, make features, and train a list of models on the same split. Then we test
# which differences are real, and submit the average of the models that we chose *before* we saw a
# score. The models are those of fast.ai's lessons 5 and 6 ([linear model and neural net from
# scratch](https://www.kaggle.com/code/jhoward/linear-model-and-neural-net-from-scratch), [how
# random forests really work](https://www.kaggle.com/code/jhoward/how-random-forests-really-work)),
# and boosted trees. You need neither the internet nor a GPU.

# %% [markdown]
# ## Getting set up
#
# `fastkaggle_plus` does everything around the models: folds, fair comparisons, checked submissions.
# We install it from the dataset of wheels attached to this notebook, else from the internet.

# %% standard="install"

# %% [markdown]
# Next, the imports.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fastkaggle_plus import *
from fastkaggle_plus.notebooks import quick_copy, quick_trials
from fastkaggle_plus.reporting import (
    plot_calibration,
    plot_curves,
    plot_gains,
    plot_importances,
    plot_scores,
)
from fastkaggle_plus.sweeps import declared_ensemble, finished_predictions, trials_of, write_results

# %% [markdown]
# These are the settings that you may want to change. `QUICK = True` is a dry run on a slice of the
# rows: do one before every long run. `REPEATS = 3` trains everything on three splits: then the
# verdicts below speak of ways to train, and no longer of single fits.

# %% tags=["parameters"]
SLUG = "titanic"
QUICK = False
SEED = 42
N_FOLDS = 5
REPEATS = 1

code = Path("code", SLUG)  # the cells with %%writefile write the competition's code here
code.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# Which machine are we on, and does its GPU work? Titanic is so small that a CPU is enough.

# %% standard="gpu"

# %% [markdown]
# The facts about the competition: what do we predict, how is it scored, how do we split the rows?

# %% inline="competition.toml"

# %% [markdown]
# Where is the data? On Kaggle `setup_comp` finds it. On your own machine it downloads it.

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
# What is missing? Some ages, and most cabins.

# %%
gaps = pd.DataFrame({"train": train.isna().sum(), "test": test.isna().sum()})
gaps.query("train > 0 or test > 0").astype("Int64")

# %% [markdown]
# Who survived? Sex and class already explain most of it.

# %%
rates = train.groupby(["Pclass", "Sex"])["Survived"].mean().unstack()
rates.plot.bar(rot=0, figsize=(5, 3), xlabel="class", ylabel="share that survived")
plt.show()

# %% [markdown]
# And the rest? Did groups share their fate? Take the tickets of two or more women and boys: on most
# of them all were saved, or none.

# %%
women_and_boys = train[(train["Sex"] == "female") | train["Name"].str.contains("Master")]
by_ticket = women_and_boys.groupby("Ticket")["Survived"].agg(["mean", "size"]).query("size > 1")
by_ticket["mean"].plot.hist(bins=10, figsize=(5, 2.5), xlabel="share saved", ylabel="tickets")
plt.show()

# %% [markdown]
# ## Features
#
# What do we know about a passenger? Who they were, with whom they travelled, where, for how much.

# %% inline="data.py" until="EVEN"

# %% [markdown]
# The library calls `read`. It returns all rows with their features.

# %% inline="data.py" until="read"

# %% [markdown]
# Some features are *learned*, like the median age for a title: we learn those from the training
# rows only. Others are only *counted*, like the people on one ticket: we may count over all rows.

# %% inline="data.py" until="add_features"

# %% [markdown]
# A title says more than the sex. A *Master* is a boy, and boys were saved with the women.

# %% inline="data.py" until="titles"

# %% [markdown]
# We know few cabins, so we put neighbouring decks together.

# %% inline="data.py" until="decks"

# %% [markdown]
# Now our hypothesis. A *party* shares a ticket, or the surname, class, port and nearly the ticket.
# We follow both relations until nothing changes, so we also find the friends of cousins.

# %% inline="data.py" until="parties"

# %% [markdown]
# How many women and children of the party survived? Only this feature uses the target. We compute
# it **inside each fold**, without the row itself: else passengers would give away their answer.

# %% inline="data.py"

# %% [markdown]
# Did we find the titles? A wrong pattern would make the whole column missing, without any error.

# %%
data = comp.read(path)
titles = pd.DataFrame({"title": data.train.x["Title"], "survived": data.targs})
titles.groupby("title", observed=True)["survived"].agg(["size", "mean"]).round(2)

# %% [markdown]
# ## The split
#
# All models use the same split into folds ({{split}}), so we can compare them passenger by
# passenger. We save it with the output.

# %%
folds = folds_for(comp, data, n_folds=N_FOLDS, seed=SEED)
pd.DataFrame({comp.id: data.ids, "fold": folds.assignment}).to_csv("folds.csv", index=False)
folds

# %% [markdown]
# ## The models
#
# One is our own: men die, women and boys share the fate of their party. It learns three rates.

# %% inline="women_and_children.py"

# %% [markdown]
# Each trial is one idea, with one line on what we want to learn: from a single rule over the nets
# of lesson 5 to boosted trees. We choose the members of the ensemble here, before any score.

# %% inline="trials.py"

# %% [markdown]
# Now we train each trial on each fold. What is finished is stored: nothing is trained twice.

# %%
trials = quick_trials(trials_of(comp)) if QUICK else trials_of(comp)
sweep_all = Sweep(comp.slug, repeated(trials, REPEATS, comp=comp), N_FOLDS, SEED)
results = run_local(sweep_all, comp, path, vault=Vault("vault"), data=data)
results

# %% [markdown]
# ## Which differences are real?
#
# One joint test compares all pairs of trials *on the same passengers*. A trial that is *worse*
# loses by more than chance explains, although we looked at many pairs. Those *among the best*
# cannot be told apart from the best one. The best of many is partly lucky: see the line below.

# %%
board(results)

# %% [markdown]
# How far apart are the folds (grey) of one model? A single train/validation split would have shown
# us only one of them. Most differences on Titanic's leaderboard are smaller than that.

# %%
done = finished_predictions(results)
plot_scores(done)

# %% [markdown]
# Which hypotheses hold? An *experiment* changes one thing of another trial, its base. The test
# compares the two on the same rows. The p-values are adjusted for the number of experiments.

# %%
hypothesis_log(results)

# %% [markdown]
# Does the forest use the features that we expect?

# %%
plot_importances(next(p for p in done if p.importances and p.name == "random forest"))

# %% [markdown]
# How did the net learn? A validation loss that rises at the end means too many epochs; one that
# still falls, too few. Thin lines are single folds.

# %%
plot_curves(next((p for p in done if p.name == "fastai net"), done[0]))

# %% [markdown]
# ## The ensemble
#
# Averaging helps most if the members make different mistakes. Do ours? A 1 means: the same ones.

# %%
members = [r.predictions for r in results if r.predictions and r.trial.in_ensemble]
error_correlation(members)

# %% [markdown]
# Is a member better or worse than the average? A bar that crosses the line may be luck: then our
# hypothesis is neither confirmed nor refuted. We submit the average: it depends less on luck.

# %%
combined = declared_ensemble(comp, results)
print(combined)
plot_gains([compare(member, combined) for member in members])

# %% [markdown]
# Does it know when it is unsure? On the line, 70% of those with a prediction of 70% survived.

# %%
plot_calibration(combined)

# %% [markdown]
# When was it sure, and wrong? Read these names before you think of a new feature.

# %%
worst = top_losses(combined, data, 8)[["id", "probability"]].rename(
    columns={"probability": "probability of the truth"}
)
shown = ["Name", "Sex", "Age", "Pclass", "Ticket", "Survived", "probability of the truth"]
worst.merge(train, left_on="id", right_on=comp.id)[shown].round(2)

# %% [markdown]
# ## The submission
#
# We match predictions and sample submission by passenger, never by position. A file that Kaggle
# would refuse, or score as nonsense, is refused here.

# %%
file = write_submission(combined, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
survive = answers[comp.target[0]].astype(int).mean()
print(f"{len(answers)} rows; {survive:.0%} survive, and in training {np.mean(data.targs):.0%}")
answers.head()

# %% [markdown]
# ## What next?
#
# Take one idea from the passengers that surprised us, add one trial, and see what the test says. If
# it says *cannot be told apart*, we have learned something too, and it cost us no submission.
#
# What do we keep? The folder `vault` has the predictions of every trial. `fkp output` downloads it,
# and `fkp vault merge` takes them into yours: to compare or average them, nothing is trained again.

# %%
combined.save("ensemble.npz")
write_results("results.csv", [*done, combined])

# %% [markdown]
# At the end two submissions count. Which two? `fkp plan` finds the safe one, and the one that fails
# on other passengers. REF is the number of this submission: `fkp submissions` lists it.

# %%
cv = f"{combined.oof_score:.4f}:{combined.oof_score_se:.4f}"
print(f"fkp plan {comp.slug} --live --cv REF={cv} --test-rows {len(answers)}")
