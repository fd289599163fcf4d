"""Tests of notebook rendering and checks."""
