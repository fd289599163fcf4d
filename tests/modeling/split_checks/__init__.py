"""Tests of the checks of a split."""
