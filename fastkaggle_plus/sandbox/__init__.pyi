from .hidden_rows import answered_by_file
from .holdout import rehearse
from .limits import Limits
from .server import Sandbox, running, serve

__all__ = ["Limits", "Sandbox", "answered_by_file", "rehearse", "running", "serve"]
