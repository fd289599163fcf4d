"""A plot of what changes were worth, next to what was expected."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..evidence import Comparison
from .plots import BLUE, GREY, ORANGE, new_axes, shortened


def plot_gains(
    gains: Sequence[Comparison],  # of a changed trial over its base
    *,
    expected: Sequence[float | None] = (),  # the gain that was expected of each, if it was declared
) -> Figure:
    """Draw each gain with two standard errors, the first on top, and the expected gains."""
    figure, axes = new_axes(1.2 + 0.3 * len(gains), f"Gain over the base: {gains[0].metric}")
    axes.axvline(0, color=GREY, linewidth=1)
    places = range(len(gains))[::-1]
    for place, gain in zip(places, gains, strict=True):
        axes.errorbar(gain.gain, place, xerr=2 * gain.se, fmt="o", color=BLUE, capsize=3)
    known = [(e, place) for e, place in zip(expected, places, strict=False) if e is not None]
    if known:
        axes.scatter(*zip(*known, strict=True), marker="D", s=30, color=ORANGE, zorder=3)
    axes.set_yticks(list(places), [shortened(gain.a) for gain in gains])
    label = "positive is better; ± 2 standard errors"
    axes.set_xlabel(f"{label}; diamond: expected" if known else label)
    axes.set_ylim(-0.7, len(gains) - 0.3)
    axes.locator_params(axis="x", nbins=5)
    return figure
