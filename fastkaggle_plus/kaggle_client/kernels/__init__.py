"""Notebooks on Kaggle: push, watch, read logs, download output, submit to a code competition."""
