"""Datasets: made, updated and fetched, each whole or not at all."""
