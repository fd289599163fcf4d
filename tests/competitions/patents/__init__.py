"""Tests of the patents folder."""
