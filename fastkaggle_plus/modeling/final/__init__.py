"""Final models: fit on all rows, keep in a folder, load without the training data."""
