"""Pushed notebooks and scripts: store their versions, run them, and run them again for scoring."""
