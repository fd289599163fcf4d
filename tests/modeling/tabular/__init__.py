"""Tests of fastkaggle_plus.modeling.tabular."""
