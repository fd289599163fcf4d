"""Tests of evidence: comparisons and the worst predictions."""
