"""The command line: `app` registers the commands, `*_commands` define them, `display` prints."""

from .app import app, main

__all__ = ["app", "main"]
