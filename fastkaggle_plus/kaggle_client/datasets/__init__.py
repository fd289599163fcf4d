"""Datasets on Kaggle: make, update, download, keep in sync with a folder."""
