"""Tests of the Titanic folder."""
