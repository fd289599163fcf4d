"""Tests of the competition folders."""
