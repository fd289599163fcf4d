"""The patents' notebook, in percent format.

`fkp notebook us-patent-phrase-to-phrase-matching` renders it, with the other files as cells.
"""
# ruff: noqa: B018

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** the words alone do not show how similar two phrases are. A pretrained language
# model does better if it also sees their field, and the other phrases that the anchor was compared
# with. And models that read the same row in different ways are better together than any one of
# them alone.
#
# This notebook follows fast.ai's lesson 4 ([getting started with
# NLP](https://www.kaggle.com/code/jhoward/getting-started-with-nlp-for-absolute-beginners),
# [iterate like a grandmaster](https://www.kaggle.com/code/jhoward/iterate-like-a-grandmaster)) to
# its end. We look at the pairs, write each row as a text, hold out whole anchors, and fine-tune a
# list of models. Then we test which differences are real, and write a checked `submission.csv`.
#
# This is a *code competition*: you cannot upload a file. Kaggle runs this notebook again, without
# the internet, on hidden rows. So everything that the notebook needs must be attached to it, and
# no cell may rely on the few test rows that we can see.

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
import tempfile
import warnings
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
    make_folds,
    run_local,
    setup_comp,
    top_losses,
    write_submission,
)
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
from fastkaggle_plus.reporting import plot_levels, plot_scores
from fastkaggle_plus.sweeps import trials_of, write_results

# %% [markdown]
# These are the settings that you may want to change.
#
# `LIST` is the list of trials to train. `TRIALS` runs without a GPU; `COURSE`, `GRANDMASTER` and
# `WINNERS` need one.
#
# `QUICK = True` is a dry run: a slice of the rows, only the first tokens of each, and one epoch.
# Do one before every long run: it takes a minute, and its scores mean nothing.
#
# `SEED` sets the split; each model has its own seed.

# %% tags=["parameters"]
SLUG = "us-patent-phrase-to-phrase-matching"
QUICK = False
LIST = "TRIALS"
SEED = 42
N_FOLDS = 5

# %% [markdown]
# We set the seed once, here. We also make a folder for the code cells below, because worker
# processes load the code from there. And `neat` shows a table without row numbers.

# %%
warnings.filterwarnings(
    "ignore", message="IProgress not found"
)  # a progress bar that we do not show
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
# whether it really works with the installed torch.

# %% standard="gpu"

# %% [markdown]
# Without the internet we cannot download a pretrained model. Its folder (configuration, weights,
# tokenizer) must be attached to the notebook, as a dataset or as a model. `fkp push` does that. If
# the model is missing, the next cell fails and says how to attach it. That is better than a failure
# after an hour.

# %%
weights = fetch_weights(default_arch())
print(weights.arch, "from", weights.origin)

# %% [markdown]
# ## The competition
#
# These are the facts about the competition: what we predict, how the score is computed, how to
# split the rows, and which columns are texts. The cell writes them to the folder that we just
# made, and so do the other code cells below. So you can edit a cell and run it again.

# %% inline="competition.toml"

# %% [markdown]
# Where is the data? `setup_comp` finds it on Kaggle, in the new or the old folder layout. On your
# own machine it downloads it.

# %%
comp = load_comp(code)
path = setup_comp(comp.slug)
if QUICK:
    path = quick_copy(comp, path, tempfile.mkdtemp(), seed=SEED)  # not part of the output
sorted(p.name for p in path.iterdir())

# %% [markdown]
# ## A look at the pairs
#
# Always look at the data first. The *anchor* and the *target* are phrases from patents. The
# *context* is a patent class; its first letter is the section. The score says how similar the two
# phrases are *in that context*.

# %%
train, test = pd.read_csv(path / comp.train), pd.read_csv(path / comp.test)
print(
    f"{len(train)} pairs to learn from, of {train['anchor'].nunique()} anchors "
    f"in {train['context'].nunique()} contexts; {len(test)} to predict"
)
train.head()

# %% [markdown]
# Careful: the column called *target* is not what we predict. We predict the score. One anchor has
# many targets. Here is the anchor with the most of them, with its best matches first.

# %%
one = train[train["anchor"] == train["anchor"].value_counts().index[0]]
best_first = one.sort_values("score", ascending=False)[["anchor", "context", "target", "score"]]
neat(best_first.head(16)).format({"score": "{:.2f}"})

# %% [markdown]
# The score has five steps: 1 is the same, 0.75 a synonym, 0.5 a broader or narrower word, 0.25
# something from the same field, and 0 unrelated. The metric is Pearson's correlation: our
# predictions should go up and down with the true scores.

# %%
shares = train["score"].value_counts(normalize=True).sort_index()
axes = shares.plot.bar(figsize=(5, 2.6), color="#2f6f9f", rot=0, width=0.7)
axes.bar_label(axes.containers[0], fmt="{:.0%}", padding=2)
axes.set(title="Share of each score", xlabel="score", ylabel="", ylim=(0, 1.2 * shares.max()))
plt.show()

# %% [markdown]
# Do pairs with common words have a high score? A little. But many pairs that mean the same have no
# common word. And many pairs with a common word mean different things. To see that, a model must
# have read more than these pairs.

# %%
words = [
    [set(phrase.lower().split()) for phrase in train[c].astype(str)] for c in ("anchor", "target")
]
shared = pd.Series(
    [len(a & b) / max(len(a | b), 1) for a, b in zip(*words, strict=True)], train.index
)
by_score = pd.DataFrame(
    {
        "pairs": train.groupby("score").size(),
        "without a common word": (shared == 0).groupby(train["score"]).mean(),
        "words in common": shared.groupby(train["score"]).mean(),
    }
)
print(f"Correlation of the share of common words with the score: {shared.corr(train['score']):.3f}")
share = dict.fromkeys(["without a common word", "words in common"], "{:.0%}")
neat(by_score.reset_index()).format({"score": "{:.2f}", **share})

# %% [markdown]
# ## What do the class codes mean?
#
# A model does not know that `H01` is about electric elements. So we give it the titles of the
# Cooperative Patent Classification. The notebook has no internet, so we write them into a table
# with the columns `code` and `title`. Sections are in the table too.

# %% inline="contexts.csv"

# %% [markdown]
# ## Reading the rows
#
# The hidden rows may have a class that is not in our table. That must not stop the notebook. We
# use the title of its section instead.

# %% inline="data.py" until="SHOWN"

# %% [markdown]
# The library calls `read`. It reads the files, and adds what else we know about each row. It uses
# training and test rows together. That is fine, because nothing here looks at a score.

# %% inline="data.py" until="read"

# %% [markdown]
# These are the text columns that we can show to a model:

# %% inline="data.py" until="add_texts"

# %% [markdown]
# Here is the title of each code, also for codes that we do not know:

# %% inline="data.py" until="titles_of"

# %% [markdown]
# This idea won the competition: show the model **the other targets of the anchor**. They show how
# fine the scale is. Say the anchor is *teaspoon*. If the other targets are *spoon* and *ladle*,
# then *fork* is a poor match. If they are *car* and *tree*, it is a good one.
#
# We draw the other targets for each row separately; the row's own target is never among them. And
# we show only the words. With their scores, the model would learn to read answers that the hidden
# rows do not have.

# %% inline="data.py"

# %% [markdown]
# Let's read the rows. What does one of them say?

# %%
data = comp.read(path)
row = data.train.texts.iloc[[0]]
neat(pd.DataFrame({"column": row.columns, "text": row.iloc[0].to_numpy()}))

# %% [markdown]
# ## How do we write a row as text?
#
# A language model reads one text, so we write each row as one text. That is all that "turning it
# into an NLP problem" means. There are many ways to do it. Each of them is a template: a column
# replaces `{anchor}`, and the model's own separator replaces `[SEP]`.

# %% inline="trials.py" until="STYLES"

# %% [markdown]
# Here is the same row in each style. A bar shows the separator.

# %%
STYLES = comp.module("trials").STYLES
written = [" | ".join(part[0] for part in write_texts(row, style)) for style in STYLES.values()]
neat(pd.DataFrame({"style": list(STYLES), "what the model reads": written}))

# %% [markdown]
# What does the model see? It sees *tokens*: pieces of words from a fixed list. A rare word is
# split into several tokens. A word that we invent, like `[H]` for a section, is split too, unless
# we add it to the list. A new token starts without any meaning, and the model has to learn it.

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
# The hidden rows have other anchors. A model that has seen an anchor with fifty targets knows a
# lot about the fifty-first. A random split would reward that. So we hold out whole anchors: the
# split is {{split}}, and each score has about the same share in each fold.
#
# All models use the same split, so we can compare their predictions row by row. We save it with
# the output.

# %%
folds = folds_for(comp, data, n_folds=N_FOLDS, seed=SEED)
pairs = data.raw_train.assign(fold=folds.assignment)
pairs[[comp.id, "anchor", "fold"]].to_csv("folds.csv", index=False)
print(
    f"{len(folds)} rows in {folds.n_folds} folds, {folds.kind}, seed {folds.seed}, "
    f"fingerprint {folds.fingerprint()}"
)

# %% [markdown]
# Is no anchor in two folds? In lesson 4's second notebook, the rows were shuffled after the
# anchors had been split. So anchors leaked, and no one saw it. Let's check.

# %%
print("Most folds that one anchor is in:", pairs.groupby("anchor")["fold"].nunique().max())
by_fold = pairs.groupby("fold")
each = pd.DataFrame(
    {
        "rows": by_fold.size(),
        "anchors": by_fold["anchor"].nunique(),
        "mean score": by_fold["score"].mean(),
    }
)
neat(each.reset_index()).format({"mean score": "{:.3f}"})

# %% [markdown]
# How much better would a random split look? We fit one quick model both ways on the same rows, at
# most about 3,000 of them: boosted trees on lengths, overlaps and topics. A language model
# memorises more than these trees, so a random split makes it look even better. On the 300 rows of
# a dry run there may be no difference.

# %%
loose = make_folds(data.targs, n_folds=N_FOLDS, kind="stratified", seed=SEED)
leak = find_group_leak(data, loose, metric=comp.metric)
print(leak or "A random split puts no anchor into two folds here.")

# %% [markdown]
# ## The trials
#
# Each trial is one idea, with one line on what we want to learn from it. Most of them fine-tune
# the same network on rows written in different styles.

# %% inline="trials.py" until="language"

# %% [markdown]
# **Lesson 4** is one trial: four epochs, a learning rate that rises and then falls along a cosine,
# and a single number as output.

# %% inline="trials.py" until="COURSE"

# %% [markdown]
# **Iterate like a grandmaster** changes one thing at a time. Its author ran the same thing twice,
# and the scores were a few thousandths apart. So a difference of a thousandth means nothing.

# %% inline="trials.py" until="GRANDMASTER"

# %% [markdown]
# **The winners** showed the model titles and other targets. And they tried several losses: the
# squared error, the cross-entropy (the score as a probability), the correlation itself, and the
# position on the scale.

# %% inline="trials.py" until="WINNERS"

# %% [markdown]
# **The last list** runs in minutes without a GPU: two styles, and some light models. Two of these
# are baselines to beat: the share of common words, and what the network knows before any training.
# We also choose here which trials go into the ensemble, before we see any score. If we chose them
# by their scores, the ensemble's score would be too good.

# %% inline="trials.py"

# %% [markdown]
# Here is the list that we train. Before we start: do we have every model that it names?

# %%
trials = quick_trials(trials_of(comp, LIST)) if QUICK else trials_of(comp, LIST)
for arch in language_models(trials, comp):
    fetch_weights(arch)
style_of = {template: name for name, template in STYLES.items()}
neat(
    pd.DataFrame(
        {
            "trial": [t.name for t in trials],
            "hypothesis": [t.hypothesis for t in trials],
            "style": [style_of.get(t.params.get("style"), "") for t in trials],
            "loss": [t.params.get("loss", "") for t in trials],
            "in the ensemble": ["yes" if t.in_ensemble else "" for t in trials],
        }
    )
)

# %% [markdown]
# ## Training
#
# This function does all the training. It fits each trial on each fold, one trial at a time on each
# GPU, and stores what is finished. If you run the cell again, nothing is trained twice. If a trial
# fails, we print the reason, and the other trials continue.


# %%
def train_all(trials, *, n_folds=N_FOLDS, seed=SEED):
    """Fit each trial on each fold; return one result for each trial."""
    sweep = Sweep(comp.slug, tuple(trials), n_folds, seed)
    return run_local(sweep, comp, path, vault=Vault("vault"), data=data, on_result=show_result)


def show_result(result):
    """Print one line on a finished trial."""
    if result.predictions is None:
        print(f"{result.name} failed: {reason(result)}")
    else:
        print(result.predictions)


def reason(result):
    """Return the last line of a failed trial's error."""
    return result.error.strip().splitlines()[-1]


results = train_all(trials)
done = [r.predictions for r in results if r.predictions is not None]
if not done:
    raise RuntimeError(
        "\n".join(["Nothing finished, so there is nothing to submit.", *map(reason, results)])
    )

# %% [markdown]
# ## Which differences are real?
#
# The best trial is in the first row. Is it really better than the others? One joint test compares
# all pairs of trials *on the same anchors*. A trial that is *worse* loses to another by more
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
# Here is the same as a picture. Each grey dot is one fold, with its own anchors. Look how far
# apart the dots of one model are. A single train/validation split would have shown us only one of
# them.

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
# ## What do the models read?
#
# Long rows take time. And a model never reads beyond `max_len`, so a long style would lose its end
# without any warning. How long were the rows in tokens, and how many were cut, over all folds?
# (Rows of the same length share a batch, so there is little padding.)

# %%
seen = [
    {
        "trial": p.name,
        "style": style_of.get(p.about["style"], p.about["style"]),
        "loss": p.about["loss"],
        "tokens, mean": np.mean([fit["tokens_mean"] for fit in p.about["fits"]]),
        "max_len": p.about["max_len"],
        "rows cut": sum(fit["rows_cut"] for fit in p.about["fits"]),
        "weights": p.about["fits"][0]["weights_from"],
    }
    for p in done
    if "tokens_mean" in next(iter(p.about.get("fits", ())), {})
]
table = neat(pd.DataFrame(seen)).format({"tokens, mean": "{:.1f}"}) if seen else None
table

# %% [markdown]
# ## The ensemble
#
# Now we combine the trials that we chose above, with fitted weights. A weight that was fitted on a
# row knows its answer. So we score each fold with weights fitted on the *other* folds. Then the
# ensemble's score is as honest as the scores of its members. Is it better than each of them? The
# paired test answers that. Where it says *cannot be told apart*, our hypothesis is not confirmed.

# %%
members = [
    r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble
] or done
both = ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "auto"))
print(both)
for member in members:
    weight = both.about["weights"][member.name]
    print(f"weight {weight:.2f}: {compare(both, member)}")

# %% [markdown]
# What does it predict for pairs of each score? Half of the predictions are inside the box, and the
# line is the median. If all predictions are too careful, the correlation does not mind, as long as
# they are in the right order. Where two boxes overlap, the model confuses the two scores.

# %%
plot_levels(both)

# %% [markdown]
# ## Where is it wrong?
#
# For which pairs is the error largest? This is the most useful table. Read it before you think of
# a new idea. Some pairs need knowledge that no model had. Some have a score that you may disagree
# with.

# %%
worst = top_losses(both, data, 12)
shown = worst[["anchor", "target", "title", "label", "predicted"]].rename(
    columns={"label": "score"}
)
neat(shown).format({"score": "{:.2f}", "predicted": "{:.2f}"})

# %% [markdown]
# Or is it wrong on whole anchors? Here are the anchors with the largest mean error. Were the
# predictions too high or too low?

# %%
rest = top_losses(both, data, None).assign(above=lambda f: f["predicted"] - f["label"])
anchors = rest.groupby("anchor").agg(
    pairs=("loss", "size"), error=("loss", "mean"), above=("above", "mean")
)
few = anchors[anchors["pairs"] >= min(5, anchors["pairs"].max())].nlargest(6, "error").reset_index()
few = few.rename(columns={"error": "mean squared error", "above": "predicted above the truth"})
neat(few).format({"mean squared error": "{:.3f}", "predicted above the truth": "{:+.2f}"})

# %% [markdown]
# ## What do we keep?
#
# We save the predictions of every trial and of the ensemble, with the model, its style, the split
# and its seed. Next week we can compare them with a new idea, or average them with it, without
# training anything again.

# %%
kept = Path("predictions")
kept.mkdir(exist_ok=True)
for preds in [*done, both]:
    preds.save(kept / f"{preds.name.replace(' ', '-').replace(',', '')}.npz")
write_results("results.csv", [*done, both])
columns = ["trial", "oof_score", "oof_score_se", "n_rows", "n_folds", "split", "split_seed"]
neat(pd.read_csv("results.csv")[columns]).format(precision=4)

# %% [markdown]
# ## The submission
#
# When Kaggle runs this notebook again, the test file has thousands of pairs. Nothing above depends
# on how many there are.
#
# We match the predictions to the sample submission by id, never by position. Then we check the
# columns, the ids, the order, and that each value is a plain number. Lesson 4's notebook wrote
# each prediction as a list, `[0.54]`. That is not a number, and it is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path)
scores = answers["score"]
print(
    f"{len(answers)} predictions, from {scores.min():.2f} to {scores.max():.2f}; "
    f"mean {scores.mean():.3f}, and {np.mean(data.targs):.3f} in the training rows"
)
neat(answers.head())

# %% [markdown]
# ## What next?
#
# - With a GPU, set `LIST` to `COURSE`, `GRANDMASTER` or `WINNERS` and run this notebook again.
#   Trials in the store are not trained twice. In a terminal, `fkp sweep {{slug}} --list WINNERS
#   --holdout 0.25` does the same. `fkp push {{slug}} --live --wait` uploads the models, the wheels
#   and the notebook to Kaggle, submits that version and waits for the score.
# - Take one idea from the pairs above, add one trial, and see what the paired test says. If it
#   says *cannot be told apart*, we have learned something too, and it cost us no submission.
