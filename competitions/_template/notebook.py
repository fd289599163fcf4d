"""The notebook of a new competition, in percent format: `fkp notebook SLUG` renders it, with this folder's other files inlined."""

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** of the model families at hand, no single one is clearly best, and their average is at least as good as each of them.
#
# This notebook reads the data of [{{slug}}]({{page}}), runs a list of declared trials on one split, says what each difference is worth, averages the
# trials that were chosen for it before anything was scored, and writes a checked `submission.csv`. It predicts `{{target}}` ({{task}}) and is scored
# by {{metric}}.

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
    plot_importances,
    plot_residuals,
    plot_scores,
)
from fastkaggle_plus.sweeps import trials_of, write_results

# %% [markdown]
# Everything you may want to change is in the next cell. `QUICK = True` runs the whole notebook on a slice of the rows with small models: a minute
# spent on that before a long run is a minute well spent. `SEED` decides the split; the models keep seeds of their own.

# %% tags=["parameters"]
SLUG = "slug"
QUICK = False
SEED = 42
N_FOLDS = 5

# %% [markdown]
# The seed is set here and nowhere else. The folder will hold the pieces of code that worker processes load, and `neat` shows a table without row numbers.

# %%
random.seed(SEED)
np.random.seed(SEED)
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
# ## The rows
#
# Always look at the rows first, and at what is missing.

# %%
train, test = pd.read_csv(path / comp.train), pd.read_csv(path / comp.test)
train.head()

# %% [markdown]
# Column by column: what it holds, and where it has gaps.

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
# `read` returns the rows with their features. What is learned from targets belongs into `in_fold`, so that no row tells its own answer.

# %% inline="data.py" when="data.py"

# %% [markdown]
# This is what the models will see, and what they will not, with the reason.

# %%
data = comp.read(path)
print(f"{len(data.train)} rows to learn from, {len(data.test)} to predict")
print("categories:", ", ".join(data.train.cat_names) or "none")
print("numbers:", ", ".join(data.train.cont_names) or "none")
if data.train.texts is not None:
    print("texts, for language models:", ", ".join(data.train.texts))
for column, why in data.left_out.items():
    print(f"left out: {column} ({why})")

# %% [markdown]
# ## The split
#
# One assignment of rows to folds is shared by every model: that is what makes their predictions comparable, row by row. It is {{split}}, and must hold
# rows out the way the organisers did: a split that is too easy flatters. It is saved with the output.

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
# Each trial is one idea with one line on what it is to find out. Which of them join the ensemble is declared here, before anything is scored:
# choosing members by their score would flatter.

# %% inline="models"

# %% inline="trials.py" when="trials.py"

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
# Best first. The verdict compares each trial with the best *on the same rows*. *Noise* means that chance alone gives a difference like this often.
# The best of many is partly lucky, so a tie with it is a tie.

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
# The same as a picture. The grey dots are single folds: look how far apart they are for one and the same model.

# %%
plot_scores(done)

# %% [markdown]
# ## What a forest leans on
#
# Does it lean on what you think it should? A feature that should not matter and does is often a leak.

# %%
telling = [p for p in done if p.importances]
leaning = next((p for p in telling if "forest" in p.name), telling[0] if telling else None)
plot_importances(leaning) if leaning else None

# %% [markdown]
# ## The ensemble
#
# The declared members are combined. Where weights are fitted, they are fitted on other folds than those they are scored on. Is the ensemble better
# than its members? The paired test says.

# %%
members = [r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble]
both = ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "greedy"))
print(both)
for member in members:
    print(f"against {member.name}: {compare(both, member)}")

# %% [markdown]
# Does it know what it does not know?

# %%
plot_residuals(both) if comp.task == "regression" else plot_calibration(both)

# %% [markdown]
# ## What is kept
#
# Predictions by row, of every trial and of the ensemble, with the model, its parameters, the split and its seed: enough to compare them with next
# week's idea, or to average with it, without training anything again.

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
# The answers are joined to the sample submission by id, never by position, and checked: columns, ids, order, values. A file that Kaggle would refuse,
# or score as nonsense, is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
print(f"{len(answers)} rows")
answers.head()

# %% [markdown]
# ## What next
#
# Look at the rows that every model gets wrong, find one idea, add one line to the trials, and see whether the paired test believes it. If it says
# *noise*, that is an answer too, and cheaper than a submission.
