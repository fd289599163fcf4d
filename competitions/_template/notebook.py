"""A new competition's notebook, in percent format.

`fkp notebook SLUG` renders it, with this folder's other files as cells.
"""
# ruff: noqa: B018, F403, F405

# %% [markdown]
# # {{title}}
#
# In this notebook we predict `{{target}}` of [{{slug}}]({{page}}): {{task}}, scored by {{metric}}.
#
# **Hypothesis:** no single model family is clearly the best one here, and the average of all of
# them is at least as good as each of them.
#
# We look at the rows, and train a list of models on the same split. Then we test which differences
# are real, and submit the average of the models that we chose *before* we saw a score.

# %% [markdown]
# ## Getting set up
#
# `fastkaggle_plus` does everything around the models: folds, fair comparisons, checked submissions.
# We install it from the dataset of wheels attached to this notebook, else from the internet.

# %% standard="install"

# %% [markdown]
# Next, the imports.

# %%
import warnings
from pathlib import Path

import pandas as pd

from fastkaggle_plus import *
from fastkaggle_plus.notebooks import quick_copy, quick_trials
from fastkaggle_plus.reading import read_rows
from fastkaggle_plus.reporting import *
from fastkaggle_plus.sweeps import declared_ensemble, finished_predictions, trials_of, write_results

# %% [markdown]
# These are the settings that you may want to change. `QUICK = True` is a dry run on a slice of the
# rows: do one before every long run. `REPEATS = 3` trains everything on three splits: then the
# verdicts below speak of ways to train, and no longer of single fits.

# %% tags=["parameters"]
SLUG = "slug"
QUICK = False
SEED = 42
N_FOLDS = 5
REPEATS = 1

warnings.filterwarnings("ignore", message="IProgress")  # a progress bar without ipywidgets
code = Path("code", SLUG)  # the cells with %%writefile write the competition's code here
code.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# Which machine are we on, and does its GPU work with the installed torch?

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
# ## A look at the rows
#
# Always look at the data first. What does a row look like?

# %%
train, test = read_rows(path / comp.train), read_rows(path / comp.test_name(path))
train.head()

# %% [markdown]
# What is in each column, and what is missing?

# %%
columns = {"kind": train.dtypes.astype(str), "distinct": train.nunique()}
missing = {"missing in train": train.isna().sum(), "missing in test": test.isna().sum()}
pd.DataFrame(columns | missing)

# %% [markdown] when="data.py"
# ## Features
#
# `read` returns the rows with their features. If a feature is learned from the targets, compute it
# in `in_fold`. There it sees only the training rows of one fold. Otherwise a row could see its own
# answer.

# %% inline="data.py" when="data.py"

# %% [markdown]
# What will the models see, and what do we leave out? The notes name features that go beyond the
# training rows: trees cannot extrapolate.

# %%
data = comp.read(path)
data

# %% [markdown]
# ## The split
#
# All models use the same split ({{split}}), so we can compare them row by row. It should be like
# the organisers' split: if ours is easier, our scores are too good. We save it with the output.

# %%
folds = folds_for(comp, data, n_folds=N_FOLDS, seed=SEED)
pd.DataFrame({comp.id: data.ids, "fold": folds.assignment}).to_csv("folds.csv", index=False)
folds

# %% [markdown]
# ## The models
#
# Each trial is one idea, with one line on what we want to learn from it. We choose the members of
# the ensemble here, before any score: otherwise its score would be too good.

# %% inline="models"

# %% inline="trials.py" when="trials.py"

# %% [markdown]
# Which trials are these?

# %%
trials = trials_of(comp, data=data)
if QUICK:
    trials = quick_trials(trials)
pd.DataFrame({"trial": t.name, "hypothesis": t.hypothesis} for t in trials)

# %% [markdown]
# Now we train each trial on each fold. What is finished is stored: nothing is trained twice. If a
# trial fails, its row says why, and the others continue.

# %%
declared = Sweep(comp.slug, repeated(trials, REPEATS, comp=comp), N_FOLDS, SEED)
results = run_local(declared, comp, path, vault=Vault("vault"), data=data)
results

# %% [markdown]
# ## Which differences are real?
#
# One joint test compares all pairs of trials *on the same rows*. A trial that is *worse* loses by
# more than chance explains, although we looked at many pairs. Those *among the best* may be as good
# as the best one. The best of many is partly lucky: see the line below the table.

# %%
board(results)

# %% [markdown]
# How far apart are the folds (grey) of one model? A single split would have shown us only one.

# %%
done = finished_predictions(results)
plot_scores(done)

# %% [markdown]
# Which hypotheses hold? An *experiment* changes one thing of another trial, its base. The p-values
# are adjusted for the number of experiments.

# %%
hypothesis_log(results)

# %% [markdown]
# Which features do the trees use? If one is important but should not be, it is often a leak.

# %%
explained = [p for p in done if p.importances]
explained.sort(key=lambda p: "forest" not in p.name)  # the forest first
picture = plot_importances(explained[0]) if explained else None
picture

# %% [markdown]
# How did the first net learn, if there is one? A validation loss that rises at the end means too
# many epochs; one that still falls, too few.

# %%
nets = [p for p in done if "curves" in p.about]
picture = plot_curves(nets[0]) if nets else None
picture

# %% [markdown]
# ## The ensemble
#
# If it fits weights, each fold is scored with weights fitted on the other folds. Is a member better
# or worse than the ensemble? A bar that crosses the line may be luck.

# %%
combined = declared_ensemble(comp, results)
members = [p for p in done if p.name in combined.about["weights"]]
print(combined)
plot_gains([compare(member, combined) for member in members])

# %% [markdown]
# How far can we trust it? For classes, this plot compares the predicted probabilities with what
# really happened. For a number, it shows the errors.

# %%
picture = plot_residuals(combined) if comp.task == "regression" else plot_calibration(combined)
picture

# %% [markdown]
# Where is it most wrong? Look at these rows before you think of a new idea.

# %%
worst = top_losses(combined, data, 8).set_index("id")[["label", "predicted", "loss"]]
pd.concat([worst, data.raw_train.set_index(data.ids).loc[worst.index]], axis=1)

# %% [markdown]
# ## The submission
#
# We match predictions and sample submission by id, never by position. A file that Kaggle would
# refuse, or score as nonsense, is refused here.

# %%
file = write_submission(combined, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
print(f"{len(answers)} rows")
answers.head()

# %% [markdown]
# ## What next?
#
# Think of one idea, add one trial, and see what the test says. If it says *cannot be told apart*,
# we have learned something too, and it cost us no submission.
#
# `fkp output` downloads the folder `vault` with the predictions of every trial, and `fkp vault
# merge` takes them into yours. At the end two submissions count: `fkp plan` names the safe one, and
# the one that fails on other rows. REF is this submission's number in `fkp submissions`.

# %%
combined.save("ensemble.npz")
write_results("results.csv", [*done, combined])
cv = f"{combined.oof_score:.4f}:{combined.oof_score_se:.4f}"
print(f"fkp plan {comp.slug} --live --cv REF={cv} --test-rows {len(answers)}")
