"""Paddy's notebook, in percent format: `fkp notebook paddy-disease-classification` renders it, with this folder's facts and trials inlined."""

# %% [markdown]
# # {{title}}
#
# **Hypothesis:** what a network was pretrained on is worth more than how its images are cut, and three small networks of different families, averaged,
# are better than any one of them.
#
# This notebook follows fast.ai's *Road to the Top* in its four parts
# ([first steps](https://www.kaggle.com/code/jhoward/first-steps-road-to-the-top-part-1),
# [small models](https://www.kaggle.com/code/jhoward/small-models-road-to-the-top-part-2),
# [scaling up](https://www.kaggle.com/code/jhoward/scaling-up-road-to-the-top-part-3),
# [multi-target](https://www.kaggle.com/code/jhoward/multi-target-road-to-the-top-part-4)), on one split for all of them, and says of each
# difference whether it is more than noise. It ends with a checked `submission.csv`. It wants a GPU, and internet for the pretrained weights.

# %% [markdown]
# ## Set-up
#
# `fastkaggle_plus` is the loop around the models: one split, paired tests, checked submissions. If it is not there yet, it comes from the
# dataset of wheels that is attached to this notebook, and without one from the internet.

# %% standard="install"

# %% [markdown]
# Everything we use, by name.

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
# Everything you may want to change is in the next cell. `PARTS` says which parts are trained: by the course's times *1*, *2* and *4* take about an hour on
# Kaggle's GPU, and *3* two. A part that is left out shows nothing.
# `HOLDOUT` is the share of the images that no model learns from; with `None` there are `N_FOLDS` folds instead, at so many times the cost.
# `QUICK = True` is a dry run, worth its minute before every long one: a few images, and tiny untrained networks in the place of the real ones,
# so that everything runs and no score means anything.

# %% tags=["parameters"]
SLUG = "paddy-disease-classification"
QUICK = False
PARTS = "1234"
HOLDOUT = 0.2
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
# Which machine is this? A small multiplication says whether the GPU really works with the installed torch: some that Kaggle lends do not,
# and say so only at the first operation. Without a GPU all of this runs too, in days.

# %% standard="gpu"

# %% [markdown]
# The pretrained weights come from the internet (Settings). Without it, attach a dataset that holds them, and copy each file to
# `.fastkaggle_plus/cache/weights/FULL_NAME.safetensors` in your home folder: a trial that finds none says which file it wants, and where.

# %% [markdown]
# ## The competition
#
# These are the facts: what is predicted, how it is scored, how the rows are to be split, and where the images lie. Like the other pieces of code below
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
# ## A look at the images
#
# Always look at the rows first. There are two labels more than the competition asks for, the variety and the age of the crop; test images lack them.

# %%
data = comp.read(path)
print(f"{len(data.train)} images to learn from, {len(data.test)} to name")
data.raw_train.head()

# %% [markdown]
# Then at the pictures, a few of each class. Could you tell them apart?

# %%
first = data.raw_train.groupby(comp.target[0], sort=True).head(2).sort_values(comp.target[0])
places = data.train.images.take(first.index.to_numpy())
contact_sheet(
    resized(list(places), (192, 144), method="pad").array,
    titles=list(first[comp.target[0]]),
    columns=4,
)

# %% [markdown]
# How many there are of each. The rarest class has few images to learn from, and few to be scored on.

# %%
counts = data.raw_train[comp.target[0]].value_counts()
axes = counts[::-1].plot.barh(figsize=(6, 3), color="#2f6f9f", width=0.8)
axes.bar_label(axes.containers[0], padding=3)
axes.set(title="Images of each class", ylabel="")
plt.show()

# %% [markdown]
# Are they all of one size? The headers of the files tell, in seconds. The few that lie on their side are no reason to do anything.

# %%
folder = path / comp.images.train_folder
sizes = image_sizes(folder)
neat(sizes.value_counts(["width_px", "height_px"]).rename("images").reset_index())

# %% [markdown]
# Does each of them decode? A file that is torn off ends a training run in its third hour. A dry run looks at one class only.

# %%
odd = check_images(next(f for f in sorted(folder.iterdir()) if f.is_dir()) if QUICK else folder)
neat(odd) if len(odd) else print("Every image decodes, and none is odd.")

# %% [markdown]
# ## What the network sees
#
# In training no network sees the same picture twice. From the kept image, made small once, each batch is cut anew: mirrored, turned, warped, zoomed,
# cropped and lit, all in *one* sampling, where one step after the other would blur. On the left is the whole image, as it is seen in validation.

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
# One assignment of rows is shared by every model: that is what makes their predictions comparable, image by image. It is
# {{split}}, drawn once for all four parts, where the course drew another one for each model. It is saved with the output.

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
# Each trial is one idea, with one line on what it is to find out. `item` is the size in pixels at which images are kept, `batch` what the network sees.

# %% inline="trials.py" until="image"

# %% [markdown]
# **Part 1** is one small network: the shortest way to a submission.

# %% inline="trials.py" until="PART_1"

# %% [markdown]
# **Part 2** changes one thing at a time: the network first, then how images come to their size. These are cheap, so this is the place to be wrong.

# %% inline="trials.py" until="PART_2"

# %% [markdown]
# **Part 3** trains longer on larger images, a network of each family: convolutions, a transformer, and a transformer with windows.
# `accum` makes a step of several batches, so that memory for half of the images is enough.

# %% inline="trials.py" until="PART_3"

# %% [markdown]
# These made the course's best submission. They take nine hours, and where others repeated it three small ones scored the same: read on before you pay.

# %% inline="trials.py" until="PART_3_LARGE"

# %% [markdown]
# **Part 4** asks whether a network that must also name the variety tells the diseases better.

# %% inline="trials.py" until="PART_4"

# %% [markdown]
# The rest is for a laptop. How the members of an ensemble are combined is declared here too, before anything is scored.

# %% inline="trials.py"

# %% [markdown]
# ## Training
#
# All training happens in this one function. It fits a list of trials, on a GPU one after the other, and keeps what finished in a small store: run a
# cell again, and nothing is trained twice. A trial that fails says why, and the others go on.


# %%
def train_all(declared):
    "Fit a list of trials; return what came of each, and nothing for a part that is left out."
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
        on_result=tell,
    )
    if not finished(results):
        print(f"No trial of {declared} finished, so there is nothing to compare here.")
    return results


def tell(result):
    "Say in a line what came of a trial."
    preds = result.predictions
    if preds is None:
        print(f"{result.name} failed: {reason(result)}")
    else:
        took = "from the store" if result.reused else f"{preds.seconds_s:.0f} s"
        print(f"{preds}, {took}")


def reason(result):
    "The last line of what a trial that failed says."
    return result.error.strip().splitlines()[-1]


def finished(results):
    "The predictions of the trials that finished."
    return [r.predictions for r in results if r.predictions is not None]


# %% [markdown]
# Four small functions show what came of it; of nothing they show nothing. The first is the board. Its verdict compares each trial with the best *on the
# same images* (an exact McNemar test: of those that one of the two gets right and the other wrong, how uneven is the split?). *Noise* means
# that chance alone gives a difference like this often. The best of many is partly lucky, so a tie with it is a tie.


# %%
def show_board(results):
    "Show the trials that finished, best first, and say which of them is as good as the best."
    rows = board(results)
    if not rows:
        return None
    ties = [r.name for r in rows[1:] if r.to_best.is_noise]
    print(f"Best: {rows[0].name}." + (f" A tie with it: {'; '.join(ties)}." if ties else ""))
    table = pd.DataFrame(
        {
            "trial": [r.name for r in rows],
            f"held-out {comp.metric}": [r.oof_score for r in rows],
            "standard error": [r.oof_score_se for r in rows],
            "seconds": [r.seconds_s for r in rows],
            "to the best": [r.to_best.gain if r.to_best else 0.0 for r in rows],
            "verdict": [r.verdict for r in rows],
        }
    )
    styles = {"seconds": "{:.0f}", "to the best": "{:+.4f}"}
    return neat(table).format(styles, precision=4)


# %% [markdown]
# The second compares single pairs, those that differ in the one thing that we want to know.


# %%
def show_pairs(results, *pairs):
    "Say what each pair of trials differs by, where both finished."
    done = {p.name: p for p in finished(results)}
    for new, old in pairs:
        if new in done and old in done:
            print(f"{new} against {old}: {compare(done[new], done[old])}")


# %% [markdown]
# The third is about test-time augmentation: is the mean over random views better than one look at the whole image? In the course's Part 2 it was said to
# help a lot, and seven more images had come out wrong. So here the images are counted that it mends and spoils, and it is used only where the test says that
# it helps.


# %%
def show_tta(results):
    "Show what random views changed, and whether they are used."
    facts = {p.name: p.about.get("tta") for p in finished(results)}
    asked = {name: fact for name, fact in facts.items() if isinstance(fact, dict)}
    told = asked.values()
    table = pd.DataFrame(
        {
            "trial": list(asked),
            "whole image": [t["scores"]["plain"] for t in told],
            "with views": [t["scores"][t["against"]] for t in told],
            "mended": [t["wrong_to_right"] for t in told],
            "spoiled": [t["right_to_wrong"] for t in told],
            "p": [t["p_value"] for t in told],
            "used": ["whole" if t["chosen"] == "plain" else "views" for t in told],
        }
    )
    return neat(table).format({"p": "{:.2g}"}, precision=4) if asked else None


# %% [markdown]
# And the last combines the declared members of a part.


# %%
def average(results, *, weights=None, name="ensemble"):
    "Combine the declared members that finished; None where there are none."
    members = [r.predictions for r in results if r.predictions is not None and r.trial.in_ensemble]
    method = getattr(comp.module("trials"), "ENSEMBLE", "greedy")
    return ensemble(members, method=method, weights=weights, name=name) if members else None


# %% [markdown]
# ## Part 1: First steps
#
# Three epochs of a small network. It is not good, and that is not the point: from here on everything can be compared with something.

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
# The network, then the shape: squish keeps everything, pad keeps everything in its true shape, and crop cuts the ends off. In the course the three lay
# within one standard error of each other, and a table sorted by score made it look like a finding.

# %%
show_pairs(
    part_2,
    ("convnext, crop", "resnet26d, crop"),
    ("convnext, squish", "convnext, crop"),
    ("convnext, pad", "convnext, crop"),
)

# %% [markdown]
# Do random views help?

# %%
show_tta(part_2)

# %% [markdown]
# ## Part 3: Scaling up
#
# Before a long run: does a step fit into the memory of this GPU? `gpu_fit` trains two steps on random pixels, and doubles the accumulation until it does.

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
# Now train them. If you have nine hours, write `PART_3_LARGE`.

# %%
part_3 = train_all("PART_3")
show_board(part_3)

# %% [markdown]
# With more epochs and larger images, do random views help now?

# %%
show_tta(part_3)

# %% [markdown]
# Now the mean of the three, by image and class name, whatever order their rows and classes came in. Is it better than its members?

# %%
mean = average(part_3)
if mean is not None:
    print(mean)
    for member in finished(part_3):
        print(f"against {member.name}: {compare(mean, member)}")

# %% [markdown]
# The course gave its vision transformers twice the weight, as they looked best. Weights go by name, never by place in a list. It is shown for
# comparison: the plain mean was declared beforehand, and remains what is submitted.

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
# The same network twice: it names the disease alone, or the disease and the variety. The first of them is Part 2's squished one under another name:
# where that ran already, it is taken from the store.

# %%
part_4 = train_all("PART_4")
show_board(part_4)

# %% [markdown]
# The course's author honestly did not know whether it helps. What does the paired test say?

# %%
show_pairs(part_4, ("disease and variety", "disease alone"))

# %% [markdown]
# How well does it know the variety? Most of the fields are of one variety, so compare with always saying that one.

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
# What is submitted was decided before anything was scored: the mean of Part 3, and where that did not run, that of Part 2, Part 4 or Part 1.
# Choosing by score would flatter.

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
# Every trial with two standard errors to each side. Where bars overlap, only a paired test tells two apart.

# %%
plot_scores([*done, both])

# %% [markdown]
# ## Where it is wrong
#
# Which classes does it take for which?

# %%
neat(most_confused(both).head(6))

# %% [markdown]
# The same as a whole, every held-out image in one of the cells:

# %%
plot_confusion(both)

# %% [markdown]
# The most useful table: the images for which it was surest, and wrong. Some of them are mild cases, and some have a label that nobody would defend.

# %%
worst = top_losses(both, data, 8)
shown = ["id", "label", "predicted", "probability", "confidence", "loss"]
neat(worst[shown]).format(precision=3)

# %% [markdown]
# Look at them before thinking of a new idea. Above each is its label, and what was said instead. `apply_cleaning` writes wrong labels to
# `cleaning.csv`, which `comp.read` applies, so that others can read what was changed, and undo it by deleting a row.

# %%
said = [
    f"{r.label} {r.probability:.2f}\n{r.predicted}? {r.confidence:.2f}" for r in worst.itertuples()
]
contact_sheet(resized(list(worst["file"]), (256, 192), method="pad").array, titles=said, columns=4)

# %% [markdown]
# ## What is kept
#
# Probabilities by image, of every trial and of the ensemble, with the network, the sizes, the split and its seed: enough to compare them with
# next week's idea, or to average with it, without training anything again.

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
# The answers are joined to the sample submission by image, never by position: a submission in the wrong order scores 0.13. And they are checked:
# columns, ids, order, labels. A file that Kaggle would refuse, or score as nonsense, is refused here.

# %%
file = write_submission(both, comp, path, file="submission.csv")
answers = check_file(file, comp, path, labels=data.vocab)
shares = pd.DataFrame(
    {
        "in train": data.raw_train[comp.target[0]].value_counts(normalize=True),
        "in the answers": answers[comp.target[0]].value_counts(normalize=True),
    }
)
print(f"{len(answers)} images are named")
shares.fillna(0).style.format("{:.1%}")

# %% [markdown]
# ## What next
#
# Take one idea from the images above, add one line to the trials, and see whether the paired test believes it.
# If it says *noise*, that is an answer too, and cheaper than a submission.
