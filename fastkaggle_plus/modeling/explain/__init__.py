"""Questions to a table's models, each asked out of fold: a model answers for unseen rows only."""
