"""Fastbook's chapter 9: trees, a forest, and questions to it, on a table that is split by time."""
# ruff: noqa: B018

# %% [markdown]
# # Questions to a table
#
# A forest needs no tuning, and it answers questions: which columns matter, which can go, why this
# row got its prediction, and what will go wrong on new rows. We ask them in the order of
# [fastbook's chapter 9](https://github.com/fastai/fastbook/blob/master/09_tabular.ipynb), and end
# with a net.

# %%
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.tree import plot_tree

from fastkaggle_plus import compare, ensemble, make_folds, read_tabular
from fastkaggle_plus.modeling import (
    Model,
    contributions,
    cross_validate,
    drop_columns,
    fit_fold_models,
    forest_model,
    partial_dependence,
    permutation_importance,
    redundant_columns,
    score_by_spread,
    tabular_model,
    train_test_shift,
    tree_curve,
    tree_model,
)
from fastkaggle_plus.reporting import (
    plot_dendrogram,
    plot_dependence,
    plot_permutation,
    plot_scores,
    plot_waterfall,
)

# %% [markdown]
# ## The data: auctions of bulldozers
#
# The book's table is no longer open to everyone, so we invent one like it. Larger, younger machines
# with a closed cabin sell for more, and prices rise with time. For your own table, set `path` to a
# folder with `train.csv` and `test.csv`, and change the names in `read_tabular` below.

# %%
path, rng, n = Path(mkdtemp()), np.random.default_rng(9), 2_600
sold = pd.Timestamp("2006-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 2100, n)), "D")
age = rng.gamma(2.5, 4, n).round()
group = rng.choice(["BL", "TEX", "TTT", "WL"], n)
df = pd.DataFrame(
    {
        "SalesID": 10_000 + np.arange(n) * 3,
        "MachineID": 500 + np.arange(n) // 2 + rng.integers(0, 150, n),
        "saledate": sold.date,
        "YearMade": sold.year - age,
        "ProductSize": rng.choice(
            ["Mini", "Small", "Medium", "Large"], n, p=[0.3, 0.3, 0.25, 0.15]
        ),
        "ProductGroup": group,
        "GroupName": pd.Series(group).map(
            {"BL": "Loader", "TEX": "Digger", "TTT": "Track", "WL": "W"}
        ),
        "Enclosure": rng.choice(["open", "cabin", "cabin AC"], n),
        "Coupler": rng.choice(["none", "hydraulic"], n, p=[0.8, 0.2]),
        "Hours": np.where(rng.random(n) < 0.4, np.nan, age * rng.gamma(4, 250, n)),
        "State": rng.choice(["Texas", "Ohio", "Florida", "Utah", "Iowa"], n),
    }
)
size = df["ProductSize"].map({"Mini": 0, "Small": 1, "Medium": 2, "Large": 3})
price = 9.2 + 0.45 * size - 0.06 * np.minimum(age, 20) + 0.12 * (df["Enclosure"] != "open")
price += 0.25 * ((df["Coupler"] == "hydraulic") & (size > 1)) + 0.3 * (group == "TTT")
df["LogPrice"] = price + 0.0003 * np.arange(n) + rng.normal(0, 0.06 + 0.01 * np.minimum(age, 20), n)
df[:2200].to_csv(path / "train.csv", index=False)
df[2200:].drop(columns="LogPrice").to_csv(path / "test.csv", index=False)
df.tail(3)

# %% [markdown]
# The score is the error of the *logarithm* of the price, so that is our target. A date becomes
# several numbers: year, month, day, and the days elapsed.

# %%
names = dict(id="SalesID", target=("LogPrice",), time_column="saledate")
data = read_tabular(path, **names, task="regression", metric="rmse")
data

# %% [markdown]
# ## Validate on the latest rows
#
# The test rows are later than all training rows. So are our validation rows: the last fifth.
# A random split would look better, and would not show what happens later.

# %%
folds = make_folds(data.targs, kind="time", time=data.time, holdout=0.2)
folds

# %% [markdown]
# ## One tree
#
# A tree asks one question after the other, and predicts the mean of the rows that end in a leaf.

# %%
small = fit_fold_models(tree_model(max_leaf_nodes=4), data, folds, name="4 leaves")
tree = small.fitted[0]
plt.figure(figsize=(9, 4))
plot_tree(tree.estimator, feature_names=tree.sources, precision=2, impurity=False, filled=True)
plt.show()

# %% [markdown]
# How many leaves are enough? With one leaf for each row the tree memorizes the noise.

# %%
full = cross_validate(tree_model(), data, folds, name="full tree")
leaf25 = cross_validate(tree_model(min_samples_leaf=25), data, folds, name="25 rows a leaf")
{preds.name: round(preds.oof_score, 3) for preds in (small.preds, full, leaf25)}

# %% [markdown]
# ## A forest
#
# Many trees, each on other rows and columns. Their errors differ, and the mean cancels them. More
# trees never hurt: the curve becomes flat.

# %%
model = forest_model(60, min_samples_leaf=5, max_features=0.5)
models = fit_fold_models(model, data, folds)
[forest], [valid] = models.fitted, models.tables
plt.plot(tree_curve(forest, valid, "rmse"))
plt.xlabel("trees")
plt.title(f"The forest: {models.preds.oof_score:.3f} on the validation rows")
plt.show()

# %% [markdown]
# Each tree has not seen about a third of the training rows. Their *out-of-bag* error needs no
# validation rows. It is smaller here: it does not have to look into the future.

# %%
fit_targs = data.targs[folds.assignment < 0]
print(f"out of bag {np.sqrt(np.nanmean((forest.oob[:, 0] - fit_targs) ** 2)):.3f}")

# %% [markdown]
# ## How sure is it?
#
# Where the trees disagree, the forest should be wrong more often. Is it?

# %%
score_by_spread(models)

# %% [markdown]
# ## Which columns matter?
#
# Shuffle a column: how much worse do the predictions become? If the interval reaches zero, we see
# no effect. Do you see `ProductGroup` and `GroupName`? They say the same in other words, so that
# each looks unimportant while the other is there. Together they are not.

# %%
copies = {"both groups": ["ProductGroup", "GroupName"]}
importances = permutation_importance(models, {**models.sources, **copies})
plot_permutation(importances)

# %% [markdown]
# Can the columns without an effect go? Not yet: all validation rows are late, and a shuffled date
# is still a late date. So we fit again without them, and test the difference. We also try to do
# without both groups.

# %%
alone = importances[~importances["column"].isin(["ProductGroup", "GroupName", "both groups"])]
idle = [f for c in alone.query("low <= 0")["column"] for f in models.sources[c]]
drop_columns(models, [idle, copies["both groups"]])

# %% [markdown]
# ## Which columns say the same?
#
# Features that rank the rows in the same order are joined early, on the right.

# %%
redundant = redundant_columns(data.train)
plot_dendrogram(redundant)

# %% [markdown]
# What does it cost to keep only the first of each group? A copy is not always useless: each split
# tries half of the columns (`max_features`), and finds one of two copies more often.

# %%
drop_columns(models, [group[1:] for group in redundant.groups])

# %% [markdown]
# ## How does the price depend on a column?
#
# We give all machines the same year, predict, and take the mean; then the next year. Grey lines are
# single machines.

# %%
plot_dependence(partial_dependence(models, "YearMade"))

# %% [markdown]
# ## Why this price?
#
# A prediction is the mean of all prices, plus what each column adds on the path through the trees.

# %%
plot_waterfall(contributions(models, data.ids[models.rows[0][0]]))

# %% [markdown]
# ## What a forest cannot do
#
# It only predicts means of prices that it has seen. Beyond the last training day it continues with
# the same price, although prices rise.

# %%
plot_dependence(partial_dependence(models, "saledate_Elapsed", beyond=True))

# %% [markdown]
# Which columns show that a row is from the future? A classifier separates train from test. Does the
# forest do better without them?

# %%
shift = train_test_shift(data)
print(f"AUC {shift.auc:.2f}, by {', '.join(shift.columns)}")
drop_columns(models, [["MachineID"], [f for f in data.notes if f.startswith("saledate")]])

# %% [markdown]
# ## A net
#
# A net learns a vector of numbers for each category, its *embedding*. It is not confined to means
# of prices that it has seen.

# %%
settings = dict(epochs=8, n_nets=1, bs=64)
net = cross_validate(tabular_model(**settings), data, folds, name="net", test="folds")


# %% [markdown]
# ## A forest on the net's embeddings
#
# We can also give these embeddings to a forest, instead of the categories. A model of our own is a
# function that fits a table and returns a function that predicts one.


# %%
def fit_on_embeddings(table):
    net = tabular_model(**settings).fit(table).estimator.model

    def embedded(rows):
        columns = {}
        for name, layer in zip(rows.cat_names, net.embeds, strict=False):
            vectors = layer.weight.detach().numpy()[rows.x[name].cat.codes + 1]
            columns |= {f"{name} {i}": column for i, column in enumerate(vectors.T)}
        return rows.only(rows.cont_names).with_columns(pd.DataFrame(columns))

    forest = model.fit(embedded(table))
    return lambda rows: forest.predict(embedded(rows))


own = Model("forest on embeddings", fit_on_embeddings)
on_embeddings = cross_validate(own, data, folds, test="folds")

# %% [markdown]
# ## The mean of both
#
# A forest and a net make different errors. Their mean is often better than each of them, as in the
# book. Is it here, where only the net can continue the rise of the prices?

# %%
both = ensemble([models.preds, net], name="mean")
plot_scores([small.preds, full, leaf25, models.preds, net, on_embeddings, both])

# %%
compare(both, net)

# %% [markdown]
# For a trial of a competition, `fkp explain SLUG TRIAL` asks all these questions in one command,
# and writes a page with the plots.
