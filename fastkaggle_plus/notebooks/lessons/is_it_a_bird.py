"""Lessons 1 and 2: from a folder of photographs to a model that is trained, cleaned and served."""
# ruff: noqa: B018, E402, F403, F405

# %% [markdown]
# # Is it a bird?
#
# In 2015, this was a joke: the computer scientists of a cartoon asked for *a research team and five
# years* to tell whether a photograph shows a bird. Today it takes minutes.
#
# This notebook starts with a folder of photographs, and ends with a web page that names the label
# of a new one. It follows fast.ai's lesson 1, [Is it a
# bird?](https://www.kaggle.com/code/jhoward/is-it-a-bird-creating-a-model-from-your-own-data), and
# lesson 2, which cleans the data with the help of a model, and publishes the model.

# %%
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fastkaggle_plus import *
from fastkaggle_plus.modeling import cross_validate, fit_final, probe_model, vision_model
from fastkaggle_plus.reading.pixels import resized
from fastkaggle_plus.reporting import contact_sheet, plot_confusion, plot_worst_photos, show_augs

# %% [markdown]
# ## The photographs
#
# To use your own, change `path`: `my_photos/bird/1.jpg`, `my_photos/forest/2.jpg`, and so on. The
# names of the folders are the labels, and there may be more than two. Put a few photographs whose
# label we want to know at the end into `my_photos/test`. For real photographs, take a size of 224.

# %%
path = Path("my_photos")
arch, size = "tf_efficientnet_lite0", 64  # the network, and its input in pixels

# %% [markdown]
# If that folder does not exist, we paint one. Every picture has trees, and half of them have a
# bird. As in real folders, some files are wrong: four are in the folder of the other label, and one
# is damaged.


# %%
def paint(is_bird, rng):
    """Paint trees, with a bird in front of them or without one."""
    picture = Image.new("RGB", (160, 120), tuple(rng.integers((90, 150, 190), 256).tolist()))
    draw = ImageDraw.Draw(picture)

    def oval(x, y, wide, high, color):
        draw.ellipse((x - wide, y - high, x + wide, y + high), fill=tuple(map(int, color)))

    for x, y in rng.integers((0, 10), (160, 60), (3 if is_bird else 5, 2)):
        draw.rectangle((x, y, x + 5, 120), fill=(90, 60, 30))
        for dx, dy, r in rng.integers((-20, -15, 5), (20, 30, 14), (14, 3)):
            oval(x + dx, y + dy, r, r, rng.integers((10, 70, 10), (80, 160, 70)))
    if is_bird:
        x, y, s = rng.integers((60, 50, 24), (100, 75, 36))
        side, (body, wing) = rng.choice((-s, s)), rng.integers(30, 256, (2, 3))
        oval(x, y, 1.3 * s, 0.7 * s, body)
        oval(x - 0.3 * side, y, 0.7 * s, 0.4 * s, wing)
        x, y = x + 1.3 * side, y - 0.7 * s
        draw.polygon([(x, y - s / 3), (x + 1.2 * side, y), (x, y + s / 3)], fill=(240, 160, 30))
        oval(x, y, 0.55 * s, 0.55 * s, body)
        oval(x + 0.2 * side, y - 0.2 * s, 2, 2, (10, 10, 10))
    grainy = np.asarray(picture) + rng.normal(0, 12, (120, 160, 3))
    return Image.fromarray(grainy.clip(0, 255).astype("uint8"))


if not path.exists():
    rng = np.random.default_rng(42)
    for name in ("bird", "forest", "test"):
        (path / name).mkdir(parents=True)
    for i in range(72):
        is_bird, is_swapped = i % 2 == 0, i in (10, 21, 44, 67)
        folder = path / ("bird" if is_bird != is_swapped else "forest")
        paint(is_bird, rng).save(folder / f"{i:02}.jpg")
    paint(True, rng).save(path / "test" / "new1.jpg")
    paint(False, rng).save(path / "test" / "new2.jpg")
    (path / "bird" / "damaged.jpg").write_bytes((path / "bird" / "00.jpg").read_bytes()[:300])

# %% [markdown]
# ## Can every file be read?
#
# Downloads and phones leave files that are no pictures. `check_images` decodes every file, and
# moves the broken ones out of the folder. It deletes nothing.

# %%
check_images(path, move_to="broken_photos")

# %% [markdown]
# How large are the pictures? Different sizes are no problem, but large ones are slow to decode.

# %%
image_sizes(path).value_counts(["width_px", "height_px"])

# %% [markdown]
# `new_comp` looks at the folder, and writes what it finds into a small folder of settings, as for a
# competition on Kaggle. Then we read the data: a photograph is a row, and its folder is its label.

# %%
settings = Path("competitions", "is-it-a-bird")
if not settings.exists():
    new_comp(settings.name, kind="images", data=path)
comp = load_comp(settings)
data = comp.read(path)
data

# %% [markdown]
# ## A look at the data
#
# In training, the network never sees the same picture twice. On the left is the whole picture, and
# next to it are random views: turned, zoomed, lighter or darker. A bird that looks to the left is
# still a bird.

# %%
show_augs(data.train, rows=(0, 1, -1), batch=128)

# %% [markdown]
# ## Training
#
# We do not start from nothing: the network was trained on a million photographs, so its layers know
# edges, textures and eyes. The quickest way to use it is a *probe*: we keep the network as it is,
# and train only one linear layer on its output.
#
# How good is that? To know, each photograph must be predicted by a model that did not see it. So we
# split the photographs into three folds, and train three models, each without one fold.

# %%
folds = folds_for(comp, data, n_folds=3)
probe = cross_validate(probe_model(arch, size=size), data, folds)
probe

# %% [markdown]
# The course trains the whole network: this is called *fine-tuning*. Here it starts from the probe,
# and sees each photograph twice. For your own photographs, leave out `epochs` and `bs`: then it
# trains longer.

# %%
tuned = vision_model(arch, item=size, batch=size, method="squish", head="probe", epochs=2, bs=16)
net = cross_validate(tuned, data, folds)
compare(net, probe)

# %% [markdown]
# With so few photographs, a difference is often chance: read the verdict before the scores. We go
# on with the probe, which is faster.
#
# ## Where is it wrong?
#
# The rows are the labels, and the columns are the predictions. On the diagonal, both agree.

# %%
plot_confusion(probe)

# %% [markdown]
# These are the worst predictions: the model was sure, and the label says something else. Look
# closely: who is wrong, the model or the label?

# %%
plot_worst_photos(probe, data, 8)

# %% [markdown]
# ## Cleaning the data
#
# To find wrong labels in a folder is hard work. A model makes it easy, and that is why we train
# *first* and clean afterwards. Here are the same photographs as a table.

# %%
worst = top_losses(probe, data, 8)
worst[["id", "label", "predicted", "loss", "confidence"]]

# %% [markdown]
# Write down what you saw: the right label, or `"remove"` for a photograph that has neither. The
# model only says where to look. You decide.

# %%
birds, forests = ["forest/10.jpg", "forest/44.jpg"], ["bird/21.jpg", "bird/67.jpg"]
decisions = dict.fromkeys(birds, "bird") | dict.fromkeys(forests, "forest")
worst["action"] = [decisions.get(id, "") for id in worst["id"]]
apply_cleaning(worst, comp, path)

# %% [markdown]
# No photograph was moved or deleted: the decisions are in `cleaning.csv`, and they count whenever
# the data is read. A wrong label counted as a mistake before, so a part of the gain is only a
# better count. To find more wrong labels, look at the worst predictions again.

# %%
data = comp.read(path)
folds = folds_for(comp, data, n_folds=3)
clean = cross_validate(probe_model(arch, size=size), data, folds)
print("before:", probe)
print("after: ", clean)

# %% [markdown]
# ## Keep the model
#
# The models of the folds were for the measurement. The model that we keep is trained on all
# photographs, and its card has the score of the folds. The folder needs none of the photographs.

# %%
final = fit_final(probe_model(arch, size=size), data, predictions=clean, comp=comp)
final.save("bird_model")
final

# %% [markdown]
# On any day, on any machine, we load it again, and ask it about the new photographs. Each
# probability has the name of its label, so we cannot mix them up.

# %%
from fastkaggle_plus.modeling import load_model

model = load_model("bird_model")
new = sorted(map(str, (path / "test").iterdir()))
answers = model.label_probabilities(new)
titles = ["\n".join(f"{label}: {p:.3f}" for label, p in answer.items()) for answer in answers]
contact_sheet(resized(new, (96, 128)).array, titles=titles)

# %% [markdown]
# ## Put it on a page
#
# `write_app` writes a web page that asks the model, in the layout of a Hugging Face Space.

# %%
app = write_app("bird_model")
sorted(file.name for file in app.iterdir())

# %% [markdown]
# To open it, run `fkp app bird_model --serve` in a terminal and follow the link. The page is for
# this machine only. To publish it, upload the folder `bird_model-app` as a Space. Then it is your
# turn: what you can sort into folders, you can teach a computer to sort.
