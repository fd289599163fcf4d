"""Paddy's notebook, in percent format.

`fkp notebook paddy-disease-classification` renders it, with this folder's other files as cells.
"""

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** it matters more what a network was pretrained on than how we resize its images.
# And the average of three small networks from different families is better than any one of them.
#
# This notebook follows the four parts of fast.ai's *Road to the Top* ([first
# steps](https://www.kaggle.com/code/jhoward/first-steps-road-to-the-top-part-1), [small
# models](https://www.kaggle.com/code/jhoward/small-models-road-to-the-top-part-2), [scaling
# up](https://www.kaggle.com/code/jhoward/scaling-up-road-to-the-top-part-3),
# [multi-target](https://www.kaggle.com/code/jhoward/multi-target-road-to-the-top-part-4)). All
# parts use the same split, so we can test whether a difference is more than chance. At the end we
# write a checked `submission.csv`. You need a GPU, and the internet for the pretrained weights.

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
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fastkaggle_plus import (
    Sweep,
    Vault,
    board,
    check_file,
    check_images,
    compare,
    ensemble,
    folds_for,
    image_sizes,
    load_comp,
    most_confused,
    run_local,
    setup_comp,
    top_losses,
    write_submission,
)
from fastkaggle_plus.modeling import augmented, gpu_fit
from fastkaggle_plus.notebooks import quick_copy, quick_trials
from fastkaggle_plus.reading.pixels import resized
from fastkaggle_plus.reporting import contact_sheet, plot_confusion, plot_scores
from fastkaggle_plus.sweeps import trials_of, write_results

# %% [markdown]
# These are the settings that you may want to change.
#
# `PARTS` lists the parts to train. In the course, parts *1*, *2* and *4* took about an hour on one
# of Kaggle's GPUs, and part *3* took two. The accelerator *GPU T4 x2* has two GPUs, and we train a
# network on each at the same time. Kaggle bills the hours once, not for each GPU. A part that you
# leave out shows nothing.
#
# `HOLDOUT` is the share of the images that no model trains on. With `None` we use `N_FOLDS` folds
# instead, which takes `N_FOLDS` times as long.
#
# `QUICK = True` is a dry run: a few images, and tiny untrained networks instead of the real ones.
# Do one before every long run: it takes a minute, and its scores mean nothing.

# %% tags=["parameters"]
SLUG = "paddy-disease-classification"
QUICK = False
PARTS = "1234"
HOLDOUT = 0.2
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
# whether it really works with the installed torch. Some of Kaggle's GPUs do not. Without a GPU
# this notebook runs too, but it takes days.

# %% standard="gpu"

# %% [markdown]
# We download the pretrained weights, so switch the internet on (Settings). Without the internet,
# attach a dataset that holds them, and copy each file to
# `.fastkaggle_plus/cache/weights/FULL_NAME.safetensors` in your home folder. If a trial does not
# find its weights, it says which file it needs, and where.

# %% [markdown]
# ## The competition
#
# These are the facts about the competition: what we predict, how the score is computed, how to
# split the rows, and where the images are. The cell writes them to the folder that we just made,
# and so do the other code cells below. So you can edit a cell and run it again.

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
# ## A look at the images
#
# Always look at the data first. There are two more labels than the competition asks for: the
# variety, and the age of the crop. The test images do not have them.

# %%
data = comp.read(path)
print(f"{len(data.train)} training images, {len(data.test)} test images")
data.raw_train.head()

# %% [markdown]
# Now the pictures, two of each class. Could you tell them apart?

# %%
first = data.raw_train.groupby(comp.target[0], sort=True).head(2).sort_values(comp.target[0])
places = data.train.images.take(first.index.to_numpy())
contact_sheet(
    resized(list(places), (192, 144), method="pad").array,
    titles=list(first[comp.target[0]]),
    columns=4,
)

# %% [markdown]
# How many images are there of each class? The rarest class has few images to learn from, and few
# to be scored on.

# %%
counts = data.raw_train[comp.target[0]].value_counts()
axes = counts[::-1].plot.barh(figsize=(6, 3), color="#2f6f9f", width=0.8)
axes.bar_label(axes.containers[0], padding=3)
axes.set(title="Images of each class", ylabel="")
plt.show()

# %% [markdown]
# Do all images have the same size? We only read the headers of the files, so this takes seconds. A
# few images are landscape; that is no problem.

# %%
folder = path / comp.images.train_folder
sizes = image_sizes(folder)
neat(sizes.value_counts(["width_px", "height_px"]).rename("images").reset_index())

# %% [markdown]
# Can we open every image? A damaged file would stop a training run in its third hour. A dry run
# checks only one class.

# %%
odd = check_images(next(f for f in sorted(folder.iterdir()) if f.is_dir()) if QUICK else folder)
print(f"{len(odd)} images are damaged or look odd.")
neat(odd)

# %% [markdown]
# ## What does the network see?
#
# In training, a network never sees the same picture twice. We resize each image once and keep it.
# Then, for every batch, we flip, rotate, warp, zoom and crop it, and change the light. We do that
# in *one* resampling step, because several steps would blur the image. On the left is the whole
# image, as the network sees it in validation.

# %%
rows = data.raw_train.groupby(comp.target[0]).head(1).index[:3]
seen = augmented(data.train, rows, 5, item=192, batch=128, method="crop", seed=SEED)
contact_sheet(
    seen.reshape(-1, *seen.shape[2:]),
    columns=seen.shape[1],
    titles=[t for row in rows for t in (data.raw_train[comp.target[0]][row], *[""] * 5)],
)

# %% [markdown]
# ## The split
#
# All models use the same split, so we can compare their predictions image by image. The split is
# {{split}}. We draw it once for all four parts; the course drew a new one for each model. We save
# it with the output.

# %%
folds = folds_for(comp, data, n_folds=N_FOLDS, seed=SEED, holdout=HOLDOUT)
pd.DataFrame({comp.id: data.ids, "fold": folds.assignment}).to_csv("folds.csv", index=False)
print(
    f"{(folds.assignment >= 0).sum()} of {len(folds)} images are predicted by a model that did "
    f"not see them: {folds.kind}, seed {folds.seed}, fingerprint {folds.fingerprint()}"
)

# %% [markdown]
# ## The trials
#
# Each trial is one idea, with one line on what we want to learn from it. `item` is the size in
# pixels at which we keep the images. `batch` is the size that the network sees.

# %% inline="trials.py" until="image"

# %% [markdown]
# **Part 1** is one small network: the shortest way to a submission.

# %% inline="trials.py" until="PART_1"

# %% [markdown]
# **Part 2** changes one thing at a time: first the network, then how we resize the images. These
# trials are cheap, so this is a good place to be wrong.

# %% inline="trials.py" until="PART_2"

# %% [markdown]
# **Part 3** trains longer on larger images, with one network from each family: convolutions, a
# transformer, and a transformer with windows. `accum` adds up the gradients of several small
# batches. So we need memory for only half of the images.

# %% inline="trials.py" until="PART_3"

# %% [markdown]
# These six made the course's best submission. They take nine hours. When others repeated the
# course, three small networks scored the same. So read on before you spend that time.

# %% inline="trials.py" until="PART_3_LARGE"

# %% [markdown]
# **Part 4** asks: does a network recognise the disease better if it must also name the variety?

# %% inline="trials.py" until="PART_4"

# %% [markdown]
# The last list is for a laptop. We also say here how to combine the members of an ensemble, before
# we see any score.

# %% inline="trials.py"

# %% [markdown]
# ## Training
#
# This function does all the training. It fits a list of trials, one at a time on each GPU, and
# stores what is finished. If you run a cell again, nothing is trained twice. If a trial fails, we
# print the reason, and the other trials continue.


# %%
def train_all(declared):
    """Fit a list of trials and return their results; nothing for a part that is left out."""
    if declared.removeprefix("PART_")[0] not in PARTS:
        return []
    trials = trials_of(comp, declared)
    sweep = Sweep(comp.slug, quick_trials(trials) if QUICK else trials, N_FOLDS, SEED, HOLDOUT)
    results = run_local(
        sweep,
        comp,
        path,
        vault=Vault("vault"),
        data=data,
        on_start=lambda trial: print(f"{trial.name} starts"),
        on_result=show_result,
    )
    if not finished(results):
        print(f"No trial of {declared} finished, so there is nothing to compare here.")
    return results


def show_result(result):
    """Print one line on a finished trial."""
    preds = result.predictions
    if preds is None:
        print(f"{result.name} failed: {reason(result)}")
    else:
        took = "from the store" if result.reused else f"{preds.seconds_s:.0f} s"
        print(f"{preds}, {took}")


def reason(result):
    """Return the last line of a failed trial's error."""
    return result.error.strip().splitlines()[-1]


def finished(results):
    """Return the predictions of the trials that finished."""
    return [r.predictions for r in results if r.predictions is not None]


# %% [markdown]
# Four small functions show the results. If a part has no results, they show nothing.
#
# The first one shows a table with the best trial in the first row. Is it really better than the
# others? One joint test compares all pairs of trials *on the same images*. A trial that is *worse*
# loses to another by more than chance explains, although we looked at many pairs. The trials *among
# the best* cannot be told apart from the best one. And the best of many trials is partly lucky: the
# second line gives its score corrected for this.


# %%
def show_board(results):
    """Show the trials that finished, best first, and name those among the best."""
    rows = board(results)
    if not rows:
        return None
    ties = [r.name for r in rows if r.verdict == "among the best"]
    print(f"Best: {rows[0].name}." + (f" Among the best: {'; '.join(ties)}." if ties else ""))
    print(rows[0].winner)
    table = pd.DataFrame(
        {
            "trial": [r.name for r in rows],
            f"held-out {comp.metric}": [r.oof_score for r in rows],
            "standard error": [r.oof_score_se for r in rows],
            "seconds": [r.seconds_s for r in rows],
            "to the best": [r.gain for r in rows],
            "verdict": [r.verdict for r in rows],
        }
    )
    styles = {"seconds": "{:.0f}", "to the best": "{:+.4f}"}
    return neat(table).format(styles, precision=4)


# %% [markdown]
# The second one compares pairs of trials that differ only in what we want to know.


# %%
def show_pairs(results, *pairs):
    """Print the difference of each pair of trials, if both finished."""
    done = {p.name: p for p in finished(results)}
    for new, old in pairs:
        if new in done and old in done:
            print(compare(done[new], done[old]))


# %% [markdown]
# The third one is about test-time augmentation (TTA): is the mean over random views better than
# one look at the whole image? The course's Part 2 said that it helped a lot, but with TTA seven
# more images were wrong. So we count the images that TTA corrects, and those that it gets wrong.
# We use it only where the test says that it helps.


# %%
def show_tta(results):
    """Show what TTA changed, and whether we use it."""
    facts = {p.name: p.about.get("tta") for p in finished(results)}
    facts = {name: fact for name, fact in facts.items() if isinstance(fact, dict)}
    tta = facts.values()
    table = pd.DataFrame(
        {
            "trial": list(facts),
            "whole image": [t["scores"]["plain"] for t in tta],
            "with views": [t["scores"][t["against"]] for t in tta],
            "corrected": [t["wrong_to_right"] for t in tta],
            "made wrong": [t["right_to_wrong"] for t in tta],
            "p": [t["p_value"] for t in tta],
            "used": ["whole" if t["chosen"] == "plain" else "views" for t in tta],
        }
    )
    return neat(table).format({"p": "{:.2g}"}, precision=4) if facts else None


# %% [markdown]
# The last one combines the chosen members of a part.


# %%
def average(results, *, weights=None, name="ensemble"):
    """Combine the chosen members that finished; None if there are none."""
    members = [r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble]
    method = getattr(comp.module("trials"), "ENSEMBLE", "auto")
    return ensemble(members, method=method, weights=weights, name=name) if members else None


# %% [markdown]
# ## Part 1: First steps
#
# Three epochs of a small network. It is not good, and that is fine: now we have something to
# compare with.

# %%
part_1 = train_all("PART_1")
show_board(part_1)

# %% [markdown]
# ## Part 2: Small models
#
# One change at a time.

# %%
part_2 = train_all("PART_2")
show_board(part_2)

# %% [markdown]
# The network first, then the shape. Squish keeps everything. Pad keeps everything in its true
# shape. Crop cuts off the ends. In the course, the three were within one standard error of each
# other. But the table was sorted by score, so it looked like a finding.

# %%
show_pairs(
    part_2,
    ("convnext, crop", "resnet26d, crop"),
    ("convnext, squish", "convnext, crop"),
    ("convnext, pad", "convnext, crop"),
)

# %% [markdown]
# Does TTA help?

# %%
show_tta(part_2)

# %% [markdown]
# ## Part 3: Scaling up
#
# Before a long run: does a training step fit into the memory of this GPU? `gpu_fit` trains two
# steps on random pixels, and doubles `accum` until they fit.

# %%
if "3" in PARTS:
    trials = quick_trials(trials_of(comp, "PART_3")) if QUICK else trials_of(comp, "PART_3")
    for t in trials:
        fit = gpu_fit(t.params["arch"], t.params["batch"], accum=t.params.get("accum", 1))
        print(
            f"{t.name}, {fit.size[0]}x{fit.size[1]} px, accum {fit.accum}:",
            fit.skipped or f"{fit.peak_mb} MB",
        )

# %% [markdown]
# Now we train them. If you have nine hours, write `PART_3_LARGE` instead.

# %%
part_3 = train_all("PART_3")
show_board(part_3)

# %% [markdown]
# With more epochs and larger images, does TTA help now?

# %%
show_tta(part_3)

# %% [markdown]
# Now the mean of the three. We match predictions by image and class name, so the order of rows and
# classes does not matter. Is the mean better than its members?

# %%
mean = average(part_3)
if mean is not None:
    print(mean)
    for member in finished(part_3):
        print(compare(mean, member))

# %% [markdown]
# The course gave its vision transformers twice the weight, because they looked best. We give
# weights by name, never by position in a list. This is only a comparison: we chose the plain mean
# beforehand, and we submit the plain mean.

# %%
WEIGHTS = {"vit, crop": 2.0}
there = {p.name: WEIGHTS.get(p.name, 1.0) for p in finished(part_3)}
weighted = average(part_3, weights=there, name="weighted")
if weighted is not None:
    print(", ".join(f"{name}: {share:.2f}" for name, share in weighted.about["weights"].items()))
    print(f"weighted against the plain mean: {compare(weighted, mean)}")

# %% [markdown]
# ## Part 4: Multi-target
#
# The same network twice: it predicts only the disease, or the disease and the variety. The first
# one is the squished network from Part 2 under another name. If it was trained there, we take it
# from the store.

# %%
part_4 = train_all("PART_4")
show_board(part_4)

# %% [markdown]
# Does it help? The course's author honestly did not know. What does the paired test say?

# %%
show_pairs(part_4, ("disease and variety", "disease alone"))

# %% [markdown]
# How well does it predict the variety? Most fields have the same variety, so we compare it with
# always predicting that one.

# %%
always = data.raw_train["variety"].value_counts(normalize=True)
for preds in finished(part_4):
    for fold in preds.about.get("fits", ()):
        if "variety_accuracy" in fold:
            print(
                f"variety: {fold['variety_accuracy']:.4f}; "
                f"always {always.index[0]}: {always.iloc[0]:.4f}"
            )

# %% [markdown]
# ## All together
#
# We decided what to submit before we saw any score: the mean of Part 3. If Part 3 has no results,
# we take Part 2, then Part 4, then Part 1. If we chose by score, our score would be too good.

# %%
everything = [*part_1, *part_2, *part_3, *part_4]
done = list({p.name: p for p in finished(everything)}.values())
if not done:
    reasons = dict.fromkeys(textwrap.shorten(reason(r), 160) for r in everything)
    raise RuntimeError("\n".join(["Nothing finished, so there is nothing to submit.", *reasons]))
averages = (average(part) for part in (part_3, part_2, part_4, part_1))
both = next(preds for preds in averages if preds is not None)
print(both, "of", ", ".join(both.about["weights"]))

# %% [markdown]
# Here is every trial, with two standard errors on each side. Where the bars overlap, you need a
# paired test to say which is better.

# %%
plot_scores([*done, both])

# %% [markdown]
# ## Where is it wrong?
#
# Which classes does it confuse?

# %%
neat(most_confused(both).head(6))

# %% [markdown]
# Here is the same as a matrix. Every held-out image is in one of the cells.

# %%
plot_confusion(both)

# %% [markdown]
# When was it sure, and wrong? This is the most useful table. Some of these images are mild cases,
# and some have an obviously wrong label.

# %%
worst = top_losses(both, data, 8)
shown = ["id", "label", "predicted", "probability", "confidence", "loss"]
neat(worst[shown]).format(precision=3)

# %% [markdown]
# Look at the images before you think of a new idea. Above each image you see its label, and what
# the model predicted instead.
#
# What if a label is wrong? Give it to `apply_cleaning`. It adds a row to `cleaning.csv`, with the
# file, the action and the new label. The library applies these rows when it reads the data. It
# moves and changes no file, so others can read what you changed. To undo a change, delete its row.

# %%
titles = [
    f"{r.label} {r.probability:.2f}\n{r.predicted}? {r.confidence:.2f}" for r in worst.itertuples()
]
contact_sheet(
    resized(list(worst["file"]), (256, 192), method="pad").array, titles=titles, columns=4
)

# %% [markdown]
# ## What do we keep?
#
# We save the predictions of every trial and of the ensemble, with the network, the image sizes,
# the split and its seed. Next week we can compare them with a new idea, or average them with it,
# without training anything again.

# %%
kept = Path("predictions")
kept.mkdir(exist_ok=True)
for preds in [*done, both]:
    preds.save(kept / f"{preds.name.replace(' ', '-').replace(',', '')}.npz")
write_results("results.csv", [*done, both])
facts = ["arch", "item_px", "batch_px", "method", "epochs", "split", "split_seed"]
neat(pd.DataFrame([{"trial": p.name, **{f: str(p.about.get(f, "")) for f in facts}} for p in done]))

# %% [markdown]
# ## The submission
#
# We match the predictions to the sample submission by image, never by position: a submission in
# the wrong order scores 0.13. Then we check the columns, the ids, the order and the labels. A file
# that Kaggle would refuse, or score as nonsense, is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
shares = pd.DataFrame(
    {
        "in train": data.raw_train[comp.target[0]].value_counts(normalize=True),
        "in the answers": answers[comp.target[0]].value_counts(normalize=True),
    }
)
print(f"{len(answers)} predictions")
shares.fillna(0).style.format("{:.1%}")

# %% [markdown]
# ## What next?
#
# Take one idea from the images above, add one trial, and see what the paired test says. If it says
# *cannot be told apart*, we have learned something too, and it cost us no submission.
