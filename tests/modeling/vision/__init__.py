"""Tests of fastkaggle_plus.modeling.vision."""
