"""Tests of the Paddy folder."""
