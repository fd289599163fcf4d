"""Tests of the workflow, mostly through the command line."""
