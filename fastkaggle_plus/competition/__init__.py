"""A competition: its settings, its folder and where it is found."""

from .lookup import builtin_folder, known_slugs, list_comps, load_comp, read_competition
from .record import COMPETITION_FILE, Competition
from .settings import Images, SandboxFacts, Split, Text

__all__ = [
    "COMPETITION_FILE",
    "Competition",
    "Images",
    "SandboxFacts",
    "Split",
    "Text",
    "builtin_folder",
    "known_slugs",
    "list_comps",
    "load_comp",
    "read_competition",
]
