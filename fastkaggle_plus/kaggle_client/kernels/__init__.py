"""Notebooks on Kaggle: pushed once, watched, their logs followed, their output fetched, submitted as code."""
