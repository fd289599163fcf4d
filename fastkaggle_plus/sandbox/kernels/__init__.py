"""Pushed notebooks: kept in versions, run for real, and re-run on hidden rows."""
