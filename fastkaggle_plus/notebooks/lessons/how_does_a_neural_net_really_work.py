"""Lesson 3: fit a quadratic by gradient descent, then let a sum of ReLUs fit any curve."""
# ruff: noqa: B018

# %% [markdown]
# # How does a neural net really work?
#
# A neural net is a function with numbers in it, its *parameters*. Training looks for parameters
# with which the function fits the data. In this notebook we do that by hand: first for a quadratic
# with three parameters, then for a function that can take any shape. Nothing else is in a neural
# net, however large it is.
#
# It follows fast.ai's lesson 3, [How does a neural net really
# work?](https://www.kaggle.com/code/jhoward/how-does-a-neural-net-really-work).

# %%
import matplotlib.pyplot as plt
import torch

torch.manual_seed(42)
x = torch.linspace(-2, 2, 20)

# %% [markdown]
# ## The data: a curve that we know, with noise
#
# We choose the curve $3x^2 + 2x + 1$ and measure it at 20 places. Each measurement is a little
# wrong. To fit your own data, put your measurements into `x` and `y`.

# %%
y = (3 * x**2 + 2 * x + 1) * (1 + 0.15 * torch.randn(20)) + 1.5 * torch.randn(20)
plt.scatter(x, y)
plt.title("Which curve made these points?")
plt.show()

# %% [markdown]
# ## A function with parameters
#
# We guess that the curve is a quadratic, but we do not know its parameters $a$, $b$ and $c$. Here
# are three guesses. Which one is best?


# %%
def quadratic(params, x):
    a, b, c = params
    return a * x**2 + b * x + c


guesses = torch.tensor([[1.5, 1.5, 1.5], [2.5, 1.5, 1.5], [3.0, 2.0, 4.0]])
plt.scatter(x, y)
for guess in guesses:
    plt.plot(x, quadratic(guess, x), label=str(guess.tolist()))
plt.legend(title="a, b, c")
plt.show()

# %% [markdown]
# ## The loss: how wrong is a guess?
#
# To let the computer improve a guess, we need one number that gets smaller as the guess gets
# better. The *mean absolute error* is the mean distance of the points from the curve.


# %%
def mae(preds, y):
    return (preds - y).abs().mean()


[round(mae(quadratic(guess, x), y).item(), 2) for guess in guesses]

# %% [markdown]
# ## The gradient: which way is better?
#
# The *gradient* says how the loss changes if a parameter grows a little. It is negative for all
# three parameters of our first guess, so the loss falls if we make each a little larger. PyTorch
# computes it for us.

# %%
params = guesses[0].clone().requires_grad_()
loss = mae(quadratic(params, x), y)
loss.backward()
params.grad

# %% [markdown]
# ## Gradient descent: take a step, and repeat
#
# We change each parameter by its gradient times a small number, the *learning rate*. Then we
# compute the gradient again. That is all.


# %%
def descend(function, params, *, lr, steps):
    """Return trained parameters, and the loss before each step."""
    params, losses = params.clone().requires_grad_(), []
    for _ in range(steps):
        loss = mae(function(params, x), y)
        losses.append(loss.item())
        (gradient,) = torch.autograd.grad(loss, params)
        with torch.no_grad():
            params -= lr * gradient
    return params.detach(), losses


fitted, losses = descend(quadratic, guesses[0], lr=0.1, steps=60)
plt.plot(losses)
plt.xlabel("step")
plt.ylabel("mean absolute error")
plt.title(f"The loss falls from {losses[0]:.2f} to {losses[-1]:.2f}")
plt.show()

# %%
plt.scatter(x, y)
plt.plot(x, quadratic(fitted, x), color="C1", label="fitted")
plt.plot(x, 3 * x**2 + 2 * x + 1, color="C2", linestyle=":", label="true")
plt.legend()
plt.title("a, b, c = " + ", ".join(f"{p:.2f}" for p in fitted))
plt.show()

# %% [markdown]
# ## The learning rate matters
#
# With small steps, training takes long. With large steps, each jumps over the valley, and the loss
# goes up and down. Which learning rate would you take?

# %%
for lr in (0.01, 0.1, 1.0):
    plt.plot(descend(quadratic, guesses[0], lr=lr, steps=60)[1], label=f"lr {lr}")
plt.ylim(1, 3)
plt.legend()
plt.title("Too slow, good, too large")
plt.show()

# %% [markdown]
# ## A function that can take any shape
#
# We knew that the curve is a quadratic. For photographs or sentences, we do not know the formula.
# Neural nets use a very simple piece instead: a line whose negative part is set to zero. It is
# called a *rectified linear unit*, or ReLU.


# %%
def relu(m, b, x):
    return (m * x + b).clamp(min=0)


plt.plot(x, relu(1, 1, x), label="slope 1, constant 1")
plt.plot(x, relu(-2, 1, x), label="slope -2, constant 1")
plt.plot(x, relu(1, 1, x) + relu(-2, 1, x), linestyle=":", label="their sum")
plt.legend()
plt.show()

# %% [markdown]
# A sum of two has two corners. With enough of them we can draw any curve, because each corner
# changes the slope. And we can fit the slopes and constants with the same gradient descent as
# before: only the function is another one.


# %%
def relu_sum(params, x):
    """Add ReLUs with slopes m, constants b and weights w, and a last constant."""
    n = len(params) // 3
    m, b, w = params[:-1].reshape(3, n)
    return relu(m, b, x[:, None]) @ w + params[-1]


curves = {}
for n in (1, 2, 10):
    start = torch.randn(3 * n + 1, generator=torch.Generator().manual_seed(4))
    curves[n], losses = descend(relu_sum, start, lr=0.05, steps=600)
    print(f"{n:2} ReLUs: mean absolute error {losses[-1]:.2f}")

# %%
fine = torch.linspace(-2, 2, 200)
plt.scatter(x, y, color="grey")
for n, params in curves.items():
    plt.plot(fine, relu_sum(params, fine), label=f"{n} ReLU{'s' * (n > 1)}")
plt.legend()
plt.title("More ReLUs, more shapes")
plt.show()

# %% [markdown]
# ## What we have built
#
# A sum of ReLUs is a neural net with one *hidden layer*. Gradient descent trains it. A network for
# photographs has millions of parameters instead of 31, several layers, and better steps, but there
# is no other idea in it.
#
# Ten ReLUs come nearer to the points than the quadratic. Are they better? They also follow the
# noise. Only points that were *not* used for training can answer that, and for this we keep a
# validation set. The next lesson does so: `fkp lesson
# linear_model_and_neural_net_from_scratch`.
