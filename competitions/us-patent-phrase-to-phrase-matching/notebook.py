"""The patents' notebook, in percent format: `fkp notebook us-patent-phrase-to-phrase-matching` renders it, with this folder's other files inlined."""

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** how alike two phrases are stands in more than their words. A pretrained language model that is also told their field, and what else
# their anchor was compared with, says more, and models that read the same row differently are better together than any of them alone.
#
# This notebook follows fast.ai's lesson 4
# ([getting started with NLP](https://www.kaggle.com/code/jhoward/getting-started-with-nlp-for-absolute-beginners),
# [iterate like a grandmaster](https://www.kaggle.com/code/jhoward/iterate-like-a-grandmaster)) to its end: it looks at the pairs, writes each row
# out as a text, holds whole anchors out, fine-tunes what is declared, says what each difference is worth, and writes a checked `submission.csv`.
#
# It is a *code competition*: Kaggle takes no file. It runs this notebook again, without internet, on rows that nobody has seen.
# So everything that the notebook needs is attached to it, and no cell may count on the few test rows that are shown.

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
# Everything you may want to change is in the next cell. `LIST` names one of the lists of trials below: `TRIALS` does without a GPU; `COURSE`,
# `GRANDMASTER` and `WINNERS` want one. `QUICK = True` is a dry run on a slice of the rows, of their first tokens, with one epoch of training:
# a minute spent on that before a long run is a minute well spent, and its scores mean nothing. `SEED` decides the split; the models keep seeds of their own.

# %% tags=["parameters"]
SLUG = "us-patent-phrase-to-phrase-matching"
QUICK = False
LIST = "TRIALS"
SEED = 42
N_FOLDS = 5

# %% [markdown]
# The seed is set here and nowhere else. The folder will hold the pieces of code that worker processes load, and `neat` shows a table without row numbers.

# %%
warnings.filterwarnings(
    "ignore", message="IProgress not found"
)  # of a progress bar that is not shown
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

# %% standard="gpu"

# %% [markdown]
# Without internet a pretrained model cannot be downloaded: its folder (configuration, weights, tokenizer) has to be attached, as a dataset or a model.
# `fkp push` attaches it. Where it is missing, this cell says so at once, and how to attach it; not after an hour.

# %%
weights = fetch_weights(default_arch())
print(weights.arch, "from", weights.origin)

# %% [markdown]
# ## The competition
#
# These are the facts: what is predicted, how it is scored, how the rows are to be split, and which columns are texts. Like the other pieces of code below
# they are written to the small folder, so that you can edit a cell and run it again.

# %% inline="competition.toml"

# %% [markdown]
# `setup_comp` finds the data wherever Kaggle mounted it, in the layout of today or the older one. Elsewhere it downloads it.

# %%
comp = load_comp(code)
path = setup_comp(comp.slug)
if QUICK:
    path = quick_copy(comp, path, tempfile.mkdtemp(), seed=SEED)  # links are no output
sorted(p.name for p in path.iterdir())

# %% [markdown]
# ## A look at the pairs
#
# Always look at the rows first. An *anchor* and a *target* are phrases out of patents; the *context* is the patent class in which they were met,
# its first letter the section. The score says how alike the two are *there*.

# %%
train, test = pd.read_csv(path / comp.train), pd.read_csv(path / comp.test)
print(
    f"{len(train)} pairs to learn from, of {train['anchor'].nunique()} anchors "
    f"in {train['context'].nunique()} contexts; {len(test)} to answer"
)
train.head()

# %% [markdown]
# The column called *target* is no target, and one anchor has many of them: here is the one that has most, from its best match to what has
# nothing to do with it.

# %%
one = train[train["anchor"] == train["anchor"].value_counts().index[0]]
best_first = one.sort_values("score", ascending=False)[["anchor", "context", "target", "score"]]
neat(best_first.head(16)).format({"score": "{:.2f}"})

# %% [markdown]
# The score has five steps: 1 the same, 0.75 a synonym, 0.5 a broader or narrower word, 0.25 something of the same field, 0 unrelated.
# It is scored by Pearson's correlation: what counts is that answers rise and fall with the truth.

# %%
shares = train["score"].value_counts(normalize=True).sort_index()
axes = shares.plot.bar(figsize=(5, 2.6), color="#2f6f9f", rot=0, width=0.7)
axes.bar_label(axes.containers[0], fmt="{:.0%}", padding=2)
axes.set(title="Share of each score", xlabel="score", ylabel="", ylim=(0, 1.2 * shares.max()))
plt.show()

# %% [markdown]
# Do pairs that share words score high? A little. But many of those that mean the same have no word in common, and many that have one mean
# something else: that is the gap that a model must fill which has read more than these pairs.

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
# ## What the classes are called
#
# A model does not know that `H01` is about electric elements. So the codes of the Cooperative Patent Classification get their titles, written
# out here as `code,title`, as the notebook has no internet to ask. A section is in the list too.

# %% inline="contexts.csv"

# %% [markdown]
# ## Reading the rows
#
# A class that nobody wrote down must not end the re-run: hidden rows may hold one. Its section's title stands in for it.

# %% inline="data.py" until="SHOWN"

# %% [markdown]
# `read` is what the library calls. It reads the files by the facts, and adds to the words of each row what else we know of it.
# Training and test rows are taken together: none of this looks at a score.

# %% inline="data.py" until="read"

# %% [markdown]
# These are the columns of words that a model may be shown:

# %% inline="data.py" until="add_texts"

# %% [markdown]
# What the codes are called, with something for any code:

# %% inline="data.py" until="titles_of"

# %% [markdown]
# The idea that won the competition: **the other targets of an anchor** say how fine its scale is. Beside *spoon*, *fork* is far away;
# beside *car* it is near. They are drawn for each row by itself, the row's own target never among them.
# And they are words alone. Had they brought their scores along, the model would learn to read answers that the hidden rows do not have.

# %% inline="data.py"

# %% [markdown]
# Read the rows, and look at the words of one:

# %%
data = comp.read(path)
row = data.train.texts.iloc[[0]]
neat(pd.DataFrame({"column": row.columns, "what it says": row.iloc[0].to_numpy()}))

# %% [markdown]
# ## How a row is written
#
# A language model reads one text, so a row has to be written as one. That is all that "turning it into an NLP problem" means,
# and there are many ways to do it. Each is a template: `{anchor}` stands for a column, `[SEP]` for the model's own separator.

# %% inline="trials.py" until="STYLES"

# %% [markdown]
# The same row in each of them. A bar stands for the separator.

# %%
STYLES = comp.module("trials").STYLES
written = [" | ".join(part[0] for part in write_texts(row, style)) for style in STYLES.values()]
neat(pd.DataFrame({"style": list(STYLES), "what the model reads": written}))

# %% [markdown]
# And as the model sees it: as *tokens*, pieces of words out of a fixed list. A rare word falls into several. A word of one's own, like `[H]`
# for a section, falls into pieces too, unless it is made a token: then it starts without any meaning and has to learn one.

# %%
tokenizer = load_tokenizer(weights.folder)
for style in ("course", "separator", "section token"):
    if style == "section token":  # from here on they are words of its list
        tokenizer.add_tokens([f"[{letter}]" for letter in "ABCDEFGH"], special_tokens=True)
    tokens = Encoder(tokenizer, STYLES[style], max_len=128)(row).flat
    print(f"{style}, {len(tokens)} tokens: {' '.join(tokenizer.convert_ids_to_tokens(tokens))}")

# %% [markdown]
# ## The split
#
# The hidden rows have anchors of their own. A model that has seen an anchor with fifty targets knows much about the fifty-first, and
# a random split would reward that. So whole anchors are held out: the split is {{split}}, with each score in each fold about equally often.
# One assignment is shared by every model: that is what makes their predictions comparable, row by row. It is saved with the output.

# %%
folds = folds_for(comp, data, n_folds=N_FOLDS, seed=SEED)
pairs = data.raw_train.assign(fold=folds.assignment)
pairs[[comp.id, "anchor", "fold"]].to_csv("folds.csv", index=False)
print(
    f"{len(folds)} rows in {folds.n_folds} folds, {folds.kind}, seed {folds.seed}, "
    f"fingerprint {folds.fingerprint()}"
)

# %% [markdown]
# Is no anchor in two folds? In lesson 4's second notebook rows were shuffled after the anchors had been split, and nobody saw that they leaked. So look.

# %%
print(
    "folds that the anchor with most of them is in:",
    pairs.groupby("anchor")["fold"].nunique().max(),
)
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
# What would a random split have told? One quick model, a few boosted trees on lengths, overlaps and topics, is fitted both ways on the same rows,
# some 3,000 at most. A language model learns more by heart, so a random split flatters it more than these trees; on 300 rows of a dry run it may well
# be nothing.

# %%
loose = make_folds(data.targs, n_folds=N_FOLDS, kind="stratified", seed=SEED)
leak = find_group_leak(data, loose, metric=comp.metric)
print(leak or "A random split tears no anchor apart here.")

# %% [markdown]
# ## The trials
#
# Each trial is one idea with one line on what it is to find out. Most of them are the same network, fine-tuned on rows that are written
# in a style.

# %% inline="trials.py" until="language"

# %% [markdown]
# **Lesson 4** is one trial: four epochs, the learning rate rising and then falling along a cosine, a single number as output.

# %% inline="trials.py" until="COURSE"

# %% [markdown]
# **Iterate like a grandmaster** changes one thing at a time. Its author ran the same thing again and found scores some thousandths apart; so
# a difference of a thousandth is nothing, whatever the table looks like.

# %% inline="trials.py" until="GRANDMASTER"

# %% [markdown]
# **The winners** gave the model titles and other targets, and tried what to learn: the squared error, the cross-entropy of a score taken for a
# probability, the correlation itself, or the place on the scale.

# %% inline="trials.py" until="WINNERS"

# %% [markdown]
# The rest runs in minutes without a GPU: three styles, and light models beside them. Some of these are floors, there to be beaten: what the common
# words tell, and what the network knows before it has seen a score. Which trials join the ensemble, and how they are combined, is declared here,
# before anything is scored: choosing members by their score would flatter.

# %% inline="trials.py"

# %% [markdown]
# The chosen list, to read. Before anything is trained: is every model there that it names?

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
# All training happens in this one function. It fits every trial on every fold, on a GPU one after the other, and keeps what finished in a small
# store: run the cell again, and nothing is trained twice. A trial that fails says why, and the others go on.


# %%
def train_all(trials, *, n_folds=N_FOLDS, seed=SEED):
    "Fit each trial once a fold; return one result a trial: predictions, or why it failed."

    def tell(result):
        print(result.predictions or f"{result.name} failed: {reason(result)}")

    sweep = Sweep(comp.slug, tuple(trials), n_folds, seed)
    return run_local(sweep, comp, path, vault=Vault("vault"), data=data, on_result=tell)


def reason(result):
    "The last line of what a trial that failed says."
    return result.error.strip().splitlines()[-1]


results = train_all(trials)
done = [r.predictions for r in results if r.predictions is not None]
if not done:
    raise RuntimeError(
        "\n".join(["Nothing finished, so there is nothing to submit.", *map(reason, results)])
    )

# %% [markdown]
# ## What the differences are worth
#
# Best first. The verdict compares each trial with the best *on the same pairs*: how much does each pair add to either correlation (its jackknife
# pseudo-value), and is the mean difference more than their scatter explains (a paired t-test)? *Noise* means that chance alone gives a difference
# like this often. The best of many is partly lucky, so a tie with it is a tie.

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
# The same as a picture. The grey dots are single folds: other anchors, and for one and the same model another score. One split into training and
# validation rows would have shown one of them.

# %%
plot_scores(done)

# %% [markdown]
# ## What the models read
#
# Long rows cost time, and what lies beyond `max_len` is never read: a style that asks for much would lose its end without a word.
# So this is how long rows were in tokens, and how many were cut, over all folds. Rows of one length go into one batch, so that little is filled up.

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
neat(pd.DataFrame(seen)).format(
    {"tokens, mean": "{:.1f}"}
) if seen else "No fine-tuned model finished."

# %% [markdown]
# ## The ensemble
#
# The declared members are combined by id. Their weights are fitted, and a weight that is fitted on a row knows its answer; so each fold is
# scored with weights that were fitted on the *others*. That makes this score honest beside those of the members. Is it better than each of
# them? The paired test says; where it says *noise*, the hypothesis at the top is not shown.

# %%
members = [
    r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble
] or done
both = ensemble(members, method=getattr(comp.module("trials"), "ENSEMBLE", "greedy"))
print(both)
for member in members:
    print(
        f"{both.about['weights'][member.name]:.2f} of {member.name}; against it: {compare(both, member)}"
    )

# %% [markdown]
# What it answers to pairs of each score: half of the answers lie in the box, and the line in it is the middle one. The correlation forgives answers
# that are all too timid, as long as they are in order; where boxes of neighbours overlap, it takes one score for the other.

# %%
plot_levels(both)

# %% [markdown]
# ## Where it is wrong
#
# The most useful table: the pairs for which it was furthest off. Read them before thinking of a new idea. Some need knowledge that no model had;
# some have a score that one may argue about.

# %%
worst = top_losses(both, data, 12)
shown = worst[["anchor", "target", "title", "label", "predicted"]].rename(
    columns={"label": "score"}
)
neat(shown).format({"score": "{:.2f}", "predicted": "{:.2f}"})

# %% [markdown]
# Or is it a whole anchor? The ones with the largest mean error, and whether too much or too little was said of them:

# %%
rest = top_losses(both, data, None).assign(above=lambda f: f["predicted"] - f["label"])
anchors = rest.groupby("anchor").agg(
    pairs=("loss", "size"), error=("loss", "mean"), above=("above", "mean")
)
few = anchors[anchors["pairs"] >= min(5, anchors["pairs"].max())].nlargest(6, "error").reset_index()
few = few.rename(columns={"error": "mean squared error", "above": "predicted above the truth"})
neat(few).format({"mean squared error": "{:.3f}", "predicted above the truth": "{:+.2f}"})

# %% [markdown]
# ## What is kept
#
# Predictions by pair, of every trial and of the ensemble, with the model, its style, the split and its seed: enough to compare them with
# next week's idea, or to average with it, without training anything again.

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
# When Kaggle runs this notebook again, the test file holds thousands of pairs: nothing above counted on how many there are.
# The answers are joined to the sample submission by id, never by position, and checked: columns, ids, order, plain numbers. Lesson 4's
# notebook wrote each answer as a list, `[0.54]`, which is no number; that is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path)
said = answers["score"]
print(
    f"{len(answers)} pairs are answered, from {said.min():.2f} to {said.max():.2f}; "
    f"mean {said.mean():.3f}, and {np.mean(data.targs):.3f} in the training rows"
)
neat(answers.head())

# %% [markdown]
# ## What next
#
# - With a GPU, set `LIST` to `COURSE`, `GRANDMASTER` or `WINNERS` and run this again; what is in the store is not trained twice. From a terminal the
#   same is `fkp sweep {{slug}} --list WINNERS --holdout 0.25`, and `fkp push {{slug}} --live --wait` brings models, wheels and notebook to Kaggle,
#   submits its version and waits for the score.
# - Take one idea from the pairs above, add one line to the trials, and see whether the paired test believes it. If it says
#   *noise*, that is an answer too, and cheaper than a submission.
