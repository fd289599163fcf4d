"""Tests of plots, contact sheets and reports."""
