"""Titanic's notebook, in percent format: `fkp notebook titanic` renders it, with this folder's other files inlined."""

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** women and children shared the fate of their party, and models that know this but err differently are steadier together
# than any of them alone.
#
# This notebook goes the whole way: it looks at the data, makes features, runs a list of declared trials on one split, says what each
# difference is worth, averages the trials that were chosen for it *before* anything was scored, and writes a checked `submission.csv`.
# It builds on fast.ai's lessons 5 and 6 ([linear model and neural net from scratch](https://www.kaggle.com/code/jhoward/linear-model-and-neural-net-from-scratch),
# [how random forests really work](https://www.kaggle.com/code/jhoward/how-random-forests-really-work)) and needs neither internet nor GPU.

# %% [markdown]
# ## Set-up
#
# `fastkaggle_plus` is the loop around the models: folds, paired tests, checked submissions. If it is not there yet, it comes from the
# dataset of wheels that is attached to this notebook, and without one from the internet.

# %% standard="install"

# %% [markdown]
# Everything we use, by name.

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
# Everything you may want to change is in the next cell. `QUICK = True` runs the whole notebook on a slice of the rows with small models: a minute
# spent on that before a long run is a minute well spent. `SEED` decides the split; the models keep seeds of their own.

# %% tags=["parameters"]
SLUG = "titanic"
QUICK = False
SEED = 42
N_FOLDS = 5

# %% [markdown]
# The seed is set here and nowhere else. The folder will hold the pieces of code that worker processes load, and `neat` shows a table without row numbers.

# %%
random.seed(SEED)
np.random.seed(SEED)
plt.rcParams.update({"figure.dpi": 100, "axes.spines.top": False, "axes.spines.right": False})
code = Path("code", SLUG)
code.mkdir(parents=True, exist_ok=True)


def neat(frame):
    "Show a table without row numbers, words on the left."
    words = list(frame.select_dtypes(exclude="number"))
    left = [{"selector": "th", "props": "text-align: left"}]
    plain = frame.style.hide(axis="index").set_table_styles(left)
    return plain.set_properties(subset=words, **{"text-align": "left"})


# %% [markdown]
# Which machine is this? A small multiplication says whether the GPU, if there is one, really works with the installed torch.
# Titanic is so small that a CPU is all we need.

# %% standard="gpu"

# %% [markdown]
# ## The competition
#
# These are the facts: which column is predicted, how it is scored, and how the rows are to be split. Like the other pieces of code below
# they are written to the small folder, so that you can edit a cell and run it again.

# %% inline="competition.toml"

# %% [markdown]
# `setup_comp` finds the data wherever Kaggle mounted it, in the layout of today or the older one. Elsewhere it downloads it.

# %%
comp = load_comp(code)
path = setup_comp(comp.slug)
if QUICK:
    path = quick_copy(comp, path, seed=SEED)
sorted(p.name for p in path.iterdir())

# %% [markdown]
# ## A look at the passengers
#
# Always look at the rows first, and at what is missing.

# %%
train, test = pd.read_csv(path / comp.train), pd.read_csv(path / comp.test)
train.head()

# %% [markdown]
# Columns with gaps, and how many:

# %%
gaps = pd.DataFrame({"train": train.isna().sum(), "test": test.isna().sum()})
gaps.query("train > 0 or test > 0").astype("Int64")

# %% [markdown]
# Age has gaps, and the cabin is mostly unknown. Now the one picture that explains most of this competition: sex, and then class.

# %%
rates = train.groupby(["Pclass", "Sex"])["Survived"].mean().unstack()
axes = rates.plot.bar(figsize=(6, 3), color=["#d9822b", "#2f6f9f"], rot=0)
axes.set(title="Who survived", xlabel="class", ylabel="share that survived", ylim=(0, 1))
axes.legend(title="", frameon=False)
plt.show()

# %% [markdown]
# ## Features
#
# Who travelled, with whom, where and for how much: which columns the features come from, which of them are categories and which are numbers
# is said once, at the top.

# %% inline="data.py" until="EVEN"

# %% [markdown]
# `read` is what the library calls: it returns all rows with their features.

# %% inline="data.py" until="read"

# %% [markdown]
# What is *learned*, like the median age by title, is learned from the training rows alone; what is only *counted*, like the people on one ticket,
# may be counted over everybody. `Alone` is true for people without any relative aboard.

# %% inline="data.py" until="add_features"

# %% [markdown]
# The title tells more than the sex: a *Master* is a boy, and boys were saved with the women. The pattern must be a raw string and take what
# stands between the comma and the dot; written carelessly, it finds nothing and the whole column is silently missing. We will look.

# %% inline="data.py" until="titles"

# %% [markdown]
# Decks that lay next to each other go together, as there are few known cabins.

# %% inline="data.py" until="decks"

# %% [markdown]
# Now the hypothesis. A *party* is everybody who shares a ticket, or the surname with the class, the port and all but the last digit of the ticket.
# These two relations are followed until nothing changes, so friends of cousins are found too.

# %% inline="data.py" until="parties"

# %% [markdown]
# And this is the only feature that looks at the target: how did the women and children of one's party fare? It is computed **inside each fold**,
# from the rows that the model may see, and for those from the *others* only. Otherwise every passenger would tell their own fate, and the score
# out of fold would be a dream.

# %% inline="data.py"

# %% [markdown]
# Let us read the rows and see whether the titles have arrived.

# %%
data = comp.read(path)
titles = data.train.x["Title"].value_counts(dropna=False).rename("passengers").to_frame()
titles["survived"] = pd.Series(data.targs).groupby(data.train.x["Title"].to_numpy()).mean()
titles.round(2)

# %% [markdown]
# ## The split
#
# One assignment of rows to folds is shared by every model: that is what makes their predictions comparable, row by row. It is
# {{split}}, as the organisers seem to have done it, and saved with the output.

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
# One model is our own: men die, women and boys share the fate of their party. It learns three rates, and asks the party.

# %% inline="women_and_children.py"

# %% [markdown]
# Each trial is one idea with one line on what it is to find out, from a single rule over lesson 5's nets to boosted trees. Which of them join
# the ensemble is declared here, before anything is scored: choosing members by their score would flatter.

# %% inline="trials.py"

# %% [markdown]
# The same as a list to read:

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
# All training happens in this one function. It fits every trial on every fold, two at a time on two cores, and keeps what finished in a small
# store: run the cell again, and nothing is trained twice.


# %%
def train_all(trials, *, n_folds=N_FOLDS, seed=SEED):
    "Fit each trial once a fold; return one result a trial: predictions, or why it failed."

    def tell(result):
        print(
            result.predictions or f"{result.name} failed: {result.error.strip().splitlines()[-1]}"
        )

    sweep = Sweep(comp.slug, tuple(trials), n_folds, seed)
    return run_local(sweep, comp, path, vault=Vault("vault"), on_result=tell)


results = train_all(trials)
done = [r.predictions for r in results if r.predictions is not None]

# %% [markdown]
# ## What the differences are worth
#
# Best first. The verdict compares each trial with the best *on the same passengers* (an exact McNemar test: of those that one of the two gets right
# and the other wrong, how uneven is the split?). *Noise* means that chance alone gives a difference like this often. The best of many is
# partly lucky, so a tie with it is a tie. With some hundred passengers the standard error is about one and a half points: most of what
# separates people on Titanic's leaderboard is smaller than that.

# %%
rows = board(results)
table = pd.DataFrame(
    {
        "trial": [r.name for r in rows],
        f"out-of-fold {comp.metric}": [r.oof_score for r in rows],
        "standard error": [r.oof_score_se for r in rows],
        "seconds": [r.seconds_s for r in rows],
        "to the best": [r.to_best.gain if r.to_best else 0.0 for r in rows],
        "verdict": [r.verdict for r in rows],
    }
)
neat(table).format(precision=4).format("{:.1f}", subset=["seconds"]).format(
    "{:+.4f}", subset=["to the best"]
)

# %% [markdown]
# The same as a picture. The grey dots are single folds: look how far apart they are for one and the same model, and how little
# a single train/validation split would have told.

# %%
plot_scores(done)

# %% [markdown]
# ## What the forest leans on
#
# Does it lean on what we think it should? This is the share of the trees' splits that each feature earned, by the forest's own account:

# %%
forest = next((p for p in done if p.name == "random forest"), None)
plot_importances(forest) if forest else None

# %% [markdown]
# ## The ensemble
#
# The declared members are averaged. Where an ensemble fits weights, they are fitted on other folds than those they are scored on; the plain mean
# fits nothing. Is it better than its members? The paired test says; where it says *noise*, the hypothesis at the top is neither shown nor refuted,
# and the steadier choice is the average, which was declared beforehand.

# %%
members = [r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble]
both = ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "greedy"))
print(both)
for member in members:
    print(f"against {member.name}: {compare(both, member)}")

# %% [markdown]
# A submission needs only yes or no, but the probabilities behind it tell whether the model knows what it does not know. On the line, of the passengers
# given 70% just 70% survived.

# %%
plot_calibration(both)

# %% [markdown]
# And which way does it err: does it miss survivors, or invent them?

# %%
plot_confusion(both)

# %% [markdown]
# The most useful table comes last: the passengers for whom it was surest, and wrong. Read their names before thinking of a new feature.

# %%
truth = both.oof[np.arange(len(both.targs)), both.targs]
surprises = data.raw_train.assign(**{"given to the truth": truth}).nsmallest(
    8, "given to the truth"
)
shown = ["Name", "Sex", "Age", "Pclass", "Ticket", "Survived", "given to the truth"]
neat(surprises[shown]).format(precision=2)

# %% [markdown]
# ## What is kept
#
# Probabilities by passenger, of every trial and of the ensemble, with the model, its parameters, the split and its seed: enough to compare them with
# next week's idea, or to average with it, without training anything again.

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
# The answers are joined to the sample submission by passenger, never by position, and checked: columns, ids, order, labels. A file that Kaggle would
# refuse, or score as nonsense, is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
survive = answers[comp.target[0]].astype(int).mean()
print(
    f"{len(answers)} rows; {survive:.0%} survive, {np.mean(data.targs):.0%} did in the training rows"
)
answers.head()

# %% [markdown]
# ## What next
#
# Take one idea from the list of surprises, add one line to the trials, and see whether the paired test believes it.
# If it says *noise*, that is an answer too, and cheaper than a submission.
