"""Lessons 1 and 2: from a folder of photographs to a model that is trained, cleaned and served."""
# ruff: noqa: B018

# %% [markdown]
# # Is it a bird?
#
# In 2015, this was a joke: the computer scientists of a cartoon asked for *a research team and five
# years* to tell whether a photograph shows a bird. Today it takes some minutes and a few dozen
# photographs.
#
# This notebook starts with a folder of photographs, one folder for each label. It ends with a web
# page that names the label of a new photograph. It follows fast.ai's lesson 1, [Is it a
# bird?](https://www.kaggle.com/code/jhoward/is-it-a-bird-creating-a-model-from-your-own-data), and
# lesson 2, which cleans the data with the help of a model, and publishes the model.

# %%
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fastkaggle_plus import (
    apply_cleaning,
    check_images,
    compare,
    folds_for,
    image_sizes,
    load_comp,
    new_comp,
    top_losses,
    write_app,
)
from fastkaggle_plus.modeling import (
    cross_validate,
    fit_final,
    load_model,
    probe_model,
    vision_model,
)
from fastkaggle_plus.reading.pixels import resized
from fastkaggle_plus.reporting import contact_sheet, plot_confusion, plot_worst_photos, show_augs

# %% [markdown]
# ## The photographs
#
# To use your own, change `path`: `my_photos/bird/1.jpg`, `my_photos/forest/2.jpg`, and so on. The
# names of the folders are the labels, and there may be more than two. Fifty photographs of each are
# a good start. In `my_photos/test` are photographs whose label we want to know at the end: put at
# least one there.

# %%
path = Path("my_photos")
arch, size = "tf_efficientnet_lite0", 64  # the network, and its input in pixels

# %% [markdown]
# If that folder does not exist, the next cell paints one. Every picture has trees, and half of them
# have a bird. As in real folders, some things are wrong: four pictures are in the folder of the
# other label, and one file is damaged.


# %%
def paint(is_bird, rng):
    """Paint trees, with a bird in front of them or without one."""

    def color(low, high):
        return tuple(rng.integers(low, high).tolist())

    def oval(x, y, wide, high, fill):
        draw.ellipse((x - wide, y - high, x + wide, y + high), fill=fill)

    picture = Image.new("RGB", (320, 240), color((90, 150, 190), (200, 220, 256)))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(2, 5) if is_bird else rng.integers(4, 9)):
        x, top, wide = rng.integers((0, 20, 6), (320, 130, 16))
        draw.rectangle((x, top, x + wide, 240), fill=color((50, 30, 10), (110, 80, 50)))
        for dx, dy in rng.integers((-40, -30), (40, 60), (14, 2)):
            r = rng.integers(10, 28)
            oval(x + dx, top + dy, r, r, color((10, 70, 10), (80, 160, 70)))
    if is_bird:
        x, y, s = rng.integers((110, 100, 35), (210, 150, 60))
        d = rng.choice((-s, s))  # it looks left or right
        body, wing = color((30, 30, 30), (256, 256, 256)), color((30, 30, 30), (256, 256, 256))
        tail = [(x - d, y), (x - 2.2 * d, y - s / 2), (x - 2.2 * d, y + s / 3)]
        draw.polygon(tail, fill=wing)
        oval(x, y, 1.3 * s, 0.7 * s, body)
        oval(x - 0.2 * d, y, 0.7 * s, 0.4 * s, wing)
        x, y = x + 1.3 * d, y - 0.7 * s  # the head
        beak = [(x + 0.4 * d, y - s / 5), (x + 1.2 * d, y + s / 10), (x + 0.4 * d, y + s / 4)]
        draw.polygon(beak, fill=(240, 160, 30))
        oval(x, y, 0.55 * s, 0.55 * s, body)
        oval(x + 0.2 * d, y - 0.2 * s, 3, 3, (10, 10, 10))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)))
    grainy = soft + rng.normal(0, 12, soft.shape)
    return Image.fromarray(np.clip(grainy, 0, 255).astype("uint8"))


# %%
if not path.exists():
    rng = np.random.default_rng(42)
    for i in range(72):
        is_bird = i % 2 == 0
        is_swapped = i in (10, 21, 44, 67)
        photo = path / ("bird" if is_bird != is_swapped else "forest") / f"{i:03}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        paint(is_bird, rng).save(photo)
    (path / "bird" / "damaged.jpg").write_bytes(photo.read_bytes()[:300])
    (path / "test").mkdir()
    for is_bird in (True, False):
        paint(is_bird, rng).save(path / "test" / f"new_{is_bird:d}.jpg")
sorted(f"{folder.name}: {len(list(folder.iterdir()))} files" for folder in path.iterdir())

# %% [markdown]
# ## Can every file be read?
#
# A search on the web, or a phone, brings files that are no pictures. `check_images` decodes every
# file, and moves the broken ones out of the folder. It deletes nothing.

# %%
check_images(path, move_to="broken_photos")

# %% [markdown]
# And how large are they? Photographs of many sizes are no problem, but very large ones are slow to
# decode.

# %%
image_sizes(path).value_counts(["width_px", "height_px"])

# %% [markdown]
# `new_comp` looks at the folder and writes the facts about it into a small folder of its own, as
# for a competition on Kaggle: the photographs are the rows, and the names of their folders are the
# labels. Then we read the data.

# %%
facts = Path("competitions", "is-it-a-bird")
if not facts.exists():
    new_comp(facts.name, kind="images", data=path)
comp = load_comp(facts)
data = comp.read(path)
data

# %% [markdown]
# ## A look at the data
#
# Could you tell them apart?

# %%
some = range(0, len(data.train), len(data.train) // 8)
photos = data.train.images.take(np.array(some)[:8])
labels = [data.vocab[data.targs[row]] for row in some][:8]
contact_sheet(resized(list(photos), (96, 128)).array, titles=labels)

# %% [markdown]
# In training, the network never sees the same picture twice. On the left is the whole picture, and
# next to it are random views of it: turned, zoomed, lighter or darker. A bird that looks to the
# left is still a bird.

# %%
show_augs(data.train, batch=128)

# %% [markdown]
# ## Training
#
# We do not start from nothing. The network was trained on a million photographs of all kinds, so
# its layers know edges, textures, eyes and feathers. The quickest way to use it is a *probe*: we
# keep the network as it is, and train only one linear layer on its output.
#
# To know how good that is, each photograph must be predicted by a model that did not see it. So we
# split the photographs into three folds, and train three models: each predicts the fold that it was
# not trained on.

# %%
folds = folds_for(comp, data, n_folds=3)
probe = cross_validate(probe_model(arch, size=size), data, folds)
probe

# %% [markdown]
# In the course, the whole network is trained too: this is called *fine-tuning*. It takes longer.
# Two passes over so few photographs are enough to see how it works; take five or more for your own.

# %%
fine_tuned = vision_model(
    arch, item=size, batch=size, method="squish", head="probe", epochs=2, bs=16
)
net = cross_validate(fine_tuned, data, folds)
net

# %% [markdown]
# Is one of them better, on the same photographs? With few of them, a difference is often chance.

# %%
compare(net, probe)

# %% [markdown]
# ## Where is it wrong?
#
# The rows are the labels, and the columns are the predictions. On the diagonal, both agree.

# %%
plot_confusion(probe)

# %% [markdown]
# Which mistakes are the worst? Here are the photographs for which the model was sure, and the label
# says something else. Look closely: who is wrong, the model or the label?

# %%
plot_worst_photos(probe, data, 8)

# %% [markdown]
# ## Cleaning the data
#
# It is hard work to find wrong labels in a folder of photographs. With a model it is easy, and that
# is why we train *first* and clean afterwards. `top_losses` has the same photographs as a table.

# %%
worst = top_losses(probe, data, 8)
worst[["id", "label", "predicted", "loss", "confidence"]]

# %% [markdown]
# Write down what you see: the right label, or `"remove"` for a photograph that shows neither. The
# model only says where to look. You decide.

# %%
decisions = {"010.jpg": "bird", "021.jpg": "forest", "044.jpg": "bird", "067.jpg": "forest"}
worst["action"] = [decisions.get(Path(id).name, "") for id in worst["id"]]
apply_cleaning(worst, comp, path)

# %% [markdown]
# No photograph was moved or deleted. The decisions are in `cleaning.csv`, and they count whenever
# the data is read. Did it help? A wrong label counted as a mistake before, so part of the gain is
# only a better count.

# %%
data = comp.read(path)
folds = folds_for(comp, data, n_folds=3)
clean = cross_validate(probe_model(arch, size=size), data, folds)
print("before:", probe)
print("after: ", clean)

# %% [markdown]
# ## Keep the model
#
# The three models of the folds were for the measurement. For the model that we keep, we use all
# photographs. Its score is that of the folds: a model of all rows has no photograph left to be
# measured on.

# %%
final = fit_final(probe_model(arch, size=size), data, predictions=clean, comp=comp)
final.save("bird_model")
final

# %% [markdown]
# The folder has the weights, the labels, the versions of the libraries, and a card that says what
# the model is for and how good it is. On any day, on any machine, we load it again. It needs none
# of the training photographs. Now we ask it about the new ones.

# %%
model = load_model("bird_model")
new = sorted(map(str, (path / "test").iterdir()))
answers = model.label_probabilities(new)
titles = ["\n".join(f"{label}: {p:.3f}" for label, p in answer.items()) for answer in answers]
contact_sheet(resized(new, (96, 128)).array, titles=titles)

# %% [markdown]
# ## Put it on a page
#
# `write_app` writes a web page for the model, in the layout that a Space of Hugging Face expects. A
# few of your photographs become its examples.

# %%
app = write_app("bird_model")
sorted(file.name for file in app.iterdir())

# %% [markdown]
# To open it, run this command in a terminal and follow the link. The page is for this machine only.
#
#     fkp app bird_model --serve
#
# To publish it, upload the folder `bird_model-app` as a Space. Then it is your turn: whatever you
# can sort into folders, you can teach a computer to sort.
