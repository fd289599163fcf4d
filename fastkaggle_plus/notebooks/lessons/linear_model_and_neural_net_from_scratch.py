"""Lesson 5: a linear model and neural nets in plain torch, on the passengers of the Titanic."""
# ruff: noqa: B018

# %% [markdown]
# # Linear model and neural net from scratch
#
# Who survived the Titanic? We predict it with a linear model, then with neural nets, and use
# nothing but sums, products and gradients. Then we ask the question that the scores alone do not
# answer: is the net better?
#
# It follows fast.ai's lesson 5, [Linear model and neural net from
# scratch](https://www.kaggle.com/code/jhoward/linear-model-and-neural-net-from-scratch).

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from fastkaggle_plus import compare, load_comp, make_folds
from fastkaggle_plus.competition import builtin_folder
from fastkaggle_plus.modeling import (
    cross_validate,
    deep_net_model,
    linear_model,
    lr_find,
    net_model,
)
from fastkaggle_plus.modeling.tabular import scratch
from fastkaggle_plus.reporting import plot_curves, plot_lr_find, plot_scores

# %% [markdown]
# ## The data
#
# The package brings Titanic's `train.csv`. For your own table change `path`, and the names of the
# columns below.

# %%
path = builtin_folder() / "titanic"
df = pd.read_csv(path / "train.csv")
df.isna().sum()[lambda gaps: gaps > 0]

# %% [markdown]
# A model can only multiply numbers, so no value may be missing. We fill each gap with the most
# frequent value of its column, the *mode*. It is simple, and usually good enough for a start.

# %%
df = df.fillna(df.mode().iloc[0])

# %% [markdown]
# A few fares are very large. They would dominate every sum, so we take the logarithm.

# %%
df["LogFare"] = np.log1p(df["Fare"])
df[["Fare", "LogFare"]].hist(figsize=(7, 2.2))
plt.show()

# %% [markdown]
# Sex, class and port are no numbers. Each of their values becomes a column of zeros and ones. Last,
# we divide each column by its maximum, so that all of them have a similar size.

# %%
df = pd.get_dummies(df, columns=["Sex", "Pclass", "Embarked"], dtype=float)
columns = ["Age", "SibSp", "Parch", "LogFare", "Sex_male", "Sex_female"]
columns += ["Pclass_1", "Pclass_2", "Pclass_3", "Embarked_C", "Embarked_Q", "Embarked_S"]
indeps = torch.tensor(df[columns].to_numpy(dtype=float), dtype=torch.float)
indeps = indeps / indeps.max(dim=0).values
deps = torch.tensor(df["Survived"].to_numpy(), dtype=torch.float)
indeps.shape

# %% [markdown]
# ## A linear model
#
# We give each column a random coefficient. A prediction is the sum of the columns, each times its
# coefficient. The first predictions are as random as the coefficients.

# %%
coeffs = scratch.init_linear(len(columns), torch.Generator().manual_seed(442))
preds = (indeps * coeffs[0]).sum(1)
preds[:5]

# %% [markdown]
# The loss is the mean distance from the truth, 0 or 1. One step of gradient descent makes it
# smaller.

# %%
c = coeffs[0].requires_grad_()
loss = ((indeps * c).sum(1) - deps).abs().mean()
loss.backward()
with torch.no_grad():
    c -= 0.1 * c.grad
    after = ((indeps * c).sum(1) - deps).abs().mean()
print(f"loss {loss:.4f}, after one step {after:.4f}")

# %% [markdown]
# ## Train it on some rows, look at the others
#
# We keep a fifth of the passengers for validation. `scratch.train` repeats the step above. Its code
# is 30 lines of plain torch: `scratch.train??` shows it.

# %%
torch.manual_seed(42)
valid, train = torch.randperm(len(df)).split([len(df) // 5, len(df) - len(df) // 5])
losses = []
coeffs = scratch.train(
    scratch.init_linear,
    scratch.linear_preds,
    indeps[train],
    deps[train],
    epochs=18,
    lr=0.2,
    losses=losses,
)
plt.plot(losses)
plt.title(f"The training loss falls to {losses[-1]:.3f}")
plt.show()

# %% [markdown]
# The coefficients say what the model has learned: it is good to travel in first class, and bad to
# be a man, or old.

# %%
pd.Series(coeffs[0], index=columns).sort_values().plot.barh(figsize=(6, 3.5))
plt.show()

# %% [markdown]
# ## From a linear model to a deep net
#
# Three ideas follow. A *sigmoid* squeezes each prediction between 0 and 1. A *hidden layer* first
# makes 20 sums, sets the negative ones to zero, and adds those up. A *deep* net has two such
# layers. The gradient descent stays the same. Here is the accuracy on the validation rows:

# %%
steps = {
    "linear": (scratch.init_linear, scratch.linear_preds, 18, 0.2),
    "with a sigmoid": (scratch.init_matrix, scratch.matrix_preds, 30, 100),
    "one hidden layer": (scratch.init_net, scratch.net_preds, 30, 20),
    "two hidden layers": (scratch.init_deep_net, scratch.deep_net_preds, 30, 4),
}
for name, (init, calc_preds, epochs, lr) in steps.items():
    coeffs = scratch.train(init, calc_preds, indeps[train], deps[train], epochs=epochs, lr=lr)
    accuracy = scratch.accuracy(calc_preds, coeffs, indeps[valid], deps[valid])
    print(f"{name:18} {accuracy:.4f}")

# %% [markdown]
# ## Is the net better?
#
# On 178 passengers, an accuracy is known to about 3 percentage points. So this table proves
# little. With cross-validation each of the 891 passengers is predicted once, by a model that did
# not see them. The same nets are models of the package:

# %%
data = load_comp("titanic").read(path)
folds = make_folds(data.targs, n_folds=5, seed=42)
course = ["Age", "SibSp", "Parch", "LogFare", "Sex", "Pclass", "Embarked"]
models = [make(columns=course) for make in (linear_model, net_model, deep_net_model)]
linear, net, deep = (cross_validate(model, data, folds) for model in models)
plot_scores([linear, net, deep])

# %% [markdown]
# A paired test compares them on the same passengers:

# %%
print(compare(net, linear))
print(compare(deep, net))

# %% [markdown]
# ## See the training happen
#
# The predictions keep the losses and the score of each epoch, on the rows of the fold that the net
# did not see. When the orange line is flat, more epochs do not help.

# %%
plot_curves(net)

# %% [markdown]
# And the learning rate of 20? `lr_find` tries growing rates. The course found its rates by hand;
# these nets take very large ones, because a sigmoid makes the gradients small.

# %%
plot_lr_find(lr_find(net_model(columns=course), data, start_lr=0.01, end_lr=1000))

# %% [markdown]
# ## What next?
#
# Better columns help more than a deeper net: titles, families, tickets. `fkp run titanic` tries
# them, together with forests and boosted trees, and writes a submission.
