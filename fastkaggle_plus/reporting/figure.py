"""A matplotlib Figure that a notebook shows without a magic command."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A Figure that Jupyter shows as the last value of a cell; it does not use pyplot."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png")
        return out.getvalue()
