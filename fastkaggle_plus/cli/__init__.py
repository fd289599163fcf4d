"""The command line: `app` and one file a group of commands; only `render` draws."""

from .app import app, main

__all__ = ["app", "main"]
