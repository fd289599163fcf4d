"""Write a plot as SVG for a page of HTML, in the colours of the page."""

import io
import re
import warnings
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from .plots import BLUE, GREY, ORANGE

# colour of a plot -> variable of the page's style, which has a value for light and for dark
_VARIABLES = {
    "#000000": "--text",
    "#ffffff": "--on-blue",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREY: "--grey",
}
_COLOR = re.compile("|".join(_VARIABLES))
# the same figure gives the same bytes; texts stay texts, as the browser has fonts for all letters
_OPTIONS: Any = {"svg.hashsalt": "fastkaggle_plus", "svg.fonttype": "none"}


def as_svg(
    figure: Figure,
    *,
    alt: str = "",  # what the plot shows, for readers who do not see it
) -> str:
    """Return a figure as an SVG element; the same figure gives the same bytes."""
    out = io.StringIO()
    with rc_context(_OPTIONS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    svg = re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.S)
    svg = _COLOR.sub(lambda found: f"var({_VARIABLES[found[0]]})", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)
