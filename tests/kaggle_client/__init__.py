"""Tests of the Kaggle client."""
