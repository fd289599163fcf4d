"""The patents' notebook, in percent format.

`fkp notebook us-patent-phrase-to-phrase-matching` renders it, with the other files as cells.
"""
# ruff: noqa: B018, F403, F405

# %% [markdown]
# # {{title}}
#
# How similar are two phrases of patents? It depends on the field: a *mouse* is near a *rat* in one
# class, and near a *keyboard* in another.
#
# **Hypothesis:** the words alone do not show how similar two phrases are. A pretrained language
# model does better if it also sees their field, and the other phrases that the anchor was compared
# with. And models that read a row in different ways are better together than any one of them.
#
# This notebook follows fast.ai's lesson 4 ([getting started with
# NLP](https://www.kaggle.com/code/jhoward/getting-started-with-nlp-for-absolute-beginners),
# [iterate like a grandmaster](https://www.kaggle.com/code/jhoward/iterate-like-a-grandmaster)) to
# its end. We write each row as a text, hold out whole anchors, train a list of models, test which
# differences are real, and write a checked `submission.csv`.
#
# This is a *code competition*: Kaggle runs this notebook again, without the internet, on hidden
# rows. So everything that it needs is attached, and no cell may rely on the few test rows we see.

# %% [markdown]
# ## Getting set up
#
# `fastkaggle_plus` does everything around the models: folds, fair comparisons, checked submissions.
# We install it from the dataset of wheels attached to this notebook, else from the internet.

# %% standard="install"

# %% [markdown]
# Next, the imports.

# %%
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from fastkaggle_plus import *
from fastkaggle_plus.modeling import (
    Encoder,
    default_arch,
    fetch_weights,
    find_group_leak,
    language_models,
    load_tokenizer,
    write_texts,
)
from fastkaggle_plus.notebooks import quick_copy, quick_trials
from fastkaggle_plus.reporting import plot_gains, plot_levels, plot_scores
from fastkaggle_plus.sweeps import declared_ensemble, finished_predictions, trials_of, write_results

# %% [markdown]
# These are the settings that you may want to change. `LIST` names the trials: `TRIALS` needs no
# GPU; `COURSE`, `GRANDMASTER` and `WINNERS` do. `QUICK = True` is a dry run on a slice of the rows:
# do one before every long run. Its scores mean nothing.

# %% tags=["parameters"]
SLUG = "us-patent-phrase-to-phrase-matching"
QUICK = False
LIST = "TRIALS"
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
# Is the pretrained model attached? `fkp push` attaches it. If it is missing, this cell fails and
# says how to attach it: better now than after an hour.

# %%
weights = fetch_weights(default_arch())
print(weights.arch, "from", weights.origin)

# %% [markdown]
# The facts about the competition: what do we predict, how is it scored, which columns are texts?

# %% inline="competition.toml"

# %% [markdown]
# Where is the data? On Kaggle `setup_comp` finds it. On your own machine it downloads it.

# %%
comp = load_comp(code)
path = setup_comp(comp.slug)
if QUICK:
    path = quick_copy(comp, path, tempfile.mkdtemp(), seed=SEED)  # not part of the output
train = pd.read_csv(path / comp.train, keep_default_na=False)
train.head()

# %% [markdown]
# ## A look at the pairs
#
# We predict the *score* of an *anchor* and a *target* in a *context*, which is a patent class. Here
# is the anchor with the most targets, its best matches first.

# %%
one = train[train["anchor"] == train["anchor"].value_counts().index[0]]
one.sort_values("score", ascending=False)[["anchor", "context", "target", "score"]].head(12)

# %% [markdown]
# How often is each score? 1 means the same, 0.75 a synonym, 0.5 a broader or narrower word, 0.25
# the same field, 0 unrelated. The metric is Pearson's correlation with the true scores.

# %%
train["score"].value_counts(normalize=True).sort_index().plot.bar(rot=0, figsize=(5, 2.6))
plt.show()

# %% [markdown]
# Do pairs with many common words have a high score? Often, but many pairs that mean the same have
# few. To know more, a model must have read more than these pairs.

# %%
anchors, targets = (train[c].str.lower().str.split().map(set) for c in ("anchor", "target"))
common = [len(a & b) / max(len(a | b), 1) for a, b in zip(anchors, targets, strict=True)]
train.assign(common=common).boxplot("common", by="score", grid=False, figsize=(5, 3))
plt.suptitle("")  # the one of pandas
plt.show()

# %% [markdown]
# ## What do the class codes mean?
#
# A model does not know that `H01` is about electric elements. So we give it the titles of the
# Cooperative Patent Classification, of classes and of sections.

# %% inline="contexts.csv"

# %% [markdown]
# Five other targets of the anchor are enough: later we show them to the model too.

# %% inline="data.py" until="SHOWN"

# %% [markdown]
# The library calls `read`. It takes training and test rows together: nothing here sees a score.

# %% inline="data.py" until="read"

# %% [markdown]
# These are the text columns that we can show to a model. An unknown code gets its section's title.

# %% inline="data.py" until="titles_of"

# %% [markdown]
# This idea won the competition: show the model **the other targets of the anchor**. If those of
# *teaspoon* are *spoon* and *ladle*, then *fork* is a poor match; if they are *car* and *tree*, it
# is a good one. We show words only: the hidden rows have no scores. The row's own target is never
# among them.

# %% inline="data.py"

# %% [markdown]
# What does one row say?

# %%
data = comp.read(path)
row = data.train.texts.iloc[[0]]
row.T

# %% [markdown]
# ## How do we write a row as text?
#
# A language model reads one text, so we write each row as one. That is all that "turning it into an
# NLP problem" means. Each way is a template: a column replaces `{anchor}`, and the model's own
# separator replaces `[SEP]`.

# %% inline="trials.py" until="STYLES"

# %% [markdown]
# Here is the same row in each style. A bar shows the separator.

# %%
STYLES = comp.module("trials").STYLES
for name, style in STYLES.items():
    print(f"{name}: {' | '.join(part[0] for part in write_texts(row, style))}")

# %% [markdown]
# The model sees *tokens*: pieces of words from a fixed list. A rare word is split, and so is `[H]`,
# which we invent for a section. If we add it, it is a new token, without any meaning yet.

# %%
tokenizer = load_tokenizer(weights.folder)
for style in ("course", "separator", "section token"):
    if style == "section token":  # now they are tokens of its list
        tokenizer.add_tokens([f"[{letter}]" for letter in "ABCDEFGH"], special_tokens=True)
    tokens = Encoder(tokenizer, STYLES[style], max_len=128)(row).flat
    print(f"{style}, {len(tokens)} tokens: {' '.join(tokenizer.convert_ids_to_tokens(tokens))}")

# %% [markdown]
# ## The split
#
# The hidden rows have other anchors. A model that has seen fifty targets of an anchor knows a lot
# about the fifty-first, and a random split would reward that. So we hold out whole anchors: the
# split is {{split}}. We save it with the output.

# %%
folds = folds_for(comp, data, n_folds=N_FOLDS, seed=SEED)
pairs = data.raw_train.assign(fold=folds.assignment)
pairs[[comp.id, "anchor", "fold"]].to_csv("folds.csv", index=False)
folds

# %% [markdown]
# Is no anchor in two folds? In lesson 4's second notebook anchors leaked, and no one saw it.

# %%
print("Most folds that one anchor is in:", pairs.groupby("anchor")["fold"].nunique().max())

# %% [markdown]
# How much better would a random split look? We fit quick trees both ways on the same rows, at most
# about 3,000. A language model memorises more than they do. A dry run has too few rows to tell.

# %%
loose = make_folds(data.targs, n_folds=N_FOLDS, kind="stratified", seed=SEED)
print(find_group_leak(data, loose, metric=comp.metric) or "No anchor is in two folds here.")

# %% [markdown]
# ## The trials
#
# Each trial is one idea, with one line on what we want to learn. **Lesson 4** (`COURSE`) is one.

# %% inline="trials.py" until="COURSE"

# %% [markdown]
# **Iterate like a grandmaster** (`GRANDMASTER`) changes one thing at a time. Its author ran the
# same thing twice: the scores were a few thousandths apart, so a thousandth means nothing.

# %% inline="trials.py" until="GRANDMASTER"

# %% [markdown]
# **The winners** (`WINNERS`) showed titles and other targets, and tried several losses.

# %% inline="trials.py" until="WINNERS"

# %% [markdown]
# **The last list** (`TRIALS`) runs in minutes without a GPU: baselines, a *probe* of the frozen
# network, and one fine-tuned network. We choose the members of the ensemble before any score.

# %% inline="trials.py"

# %% [markdown]
# Do we have every model of our list? Then we train each trial on each fold, one at a time on each
# GPU. What is finished is stored: nothing is trained twice.

# %%
trials = quick_trials(trials_of(comp, LIST)) if QUICK else trials_of(comp, LIST)
for arch in language_models(trials, comp):
    fetch_weights(arch)
declared = Sweep(comp.slug, repeated(trials, REPEATS, comp=comp), N_FOLDS, SEED)
results = run_local(declared, comp, path, vault=Vault("vault"), data=data)
results

# %% [markdown]
# ## Which differences are real?
#
# One joint test compares all pairs of trials *on the same anchors*. A *worse* one loses by more
# than chance explains. Those *among the best* cannot be told apart. With `REPEATS = 3` this speaks
# of ways to train, and no longer of single fits.

# %%
board(results)

# %% [markdown]
# How far apart are the folds (grey) of one model? Each has its own anchors. A single split would
# have shown us only one of them.

# %%
done = finished_predictions(results)
plot_scores(done)

# %% [markdown]
# Which hypotheses hold? An *experiment* changes one thing of another trial, its base. The p-values
# are adjusted for the number of experiments.

# %%
hypothesis_log(results)

# %% [markdown]
# ## The ensemble
#
# A weight that was fitted on a row knows its answer. So we score each fold with weights fitted on
# the *other* folds. Is a member better or worse? A bar that crosses the line may be luck.

# %%
combined = declared_ensemble(comp, results)
members = [p for p in done if p.name in combined.about["weights"]]
weights = {name: round(weight, 2) for name, weight in combined.about["weights"].items()}
print(combined, "of", weights)
plot_gains([compare(member, combined) for member in members])

# %% [markdown]
# What does it predict for pairs of each score? Where two boxes overlap, it confuses the two.

# %%
plot_levels(combined)

# %% [markdown]
# Where is it wrong? Some of these pairs need knowledge that no model had. With some scores you may
# disagree. Read them before you think of a new idea.

# %%
worst = top_losses(combined, data, None)
worst[["anchor", "target", "title", "label", "predicted"]].head(12).round(2)

# %% [markdown]
# Or is it wrong on whole anchors? Above 0, the predictions are too high.

# %%
worst["above"] = worst["predicted"] - worst["label"]
worst.groupby("anchor")[["loss", "above"]].mean().nlargest(6, "loss").round(3)

# %% [markdown]
# ## The submission
#
# We match predictions and sample submission by id, never by position. Lesson 4's notebook wrote
# each prediction as a list, `[0.54]`: that is no number, and it is refused here.

# %%
file = write_submission(combined, comp, path, file="submission.csv")
answers = check_file(file, comp, path)
print(f"{len(answers)} predictions")
answers.describe().T

# %% [markdown]
# ## What next?
#
# With a GPU, set `LIST` to another list. In a terminal, `fkp sweep {{slug}} --list WINNERS
# --holdout 0.25` does the same. `fkp push {{slug}} --live --wait` submits this notebook.
#
# `fkp output` downloads the folder `vault` with the predictions of every trial, and `fkp vault
# merge` takes them into yours. At the end two submissions count: `fkp plan` names the safe one, and
# one that fails on other pairs. REF is its number in `fkp submissions`, N that of the hidden rows.

# %%
combined.save("ensemble.npz")
write_results("results.csv", [*done, combined])
cv = f"{combined.oof_score:.4f}:{combined.oof_score_se:.4f}"
print(f"fkp plan {comp.slug} --live --cv REF={cv} --test-rows N")
