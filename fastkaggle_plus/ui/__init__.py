"""How records and progress look, in a terminal and in a notebook."""

from .progress_bar import no_progress, open_display, show_progress
from .records import Records, Shown, shown_score

__all__ = ["Records", "Shown", "no_progress", "open_display", "show_progress", "shown_score"]
