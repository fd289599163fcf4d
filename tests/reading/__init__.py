"""Tests of reading/: csv files, tables, texts, images, labels, cleaning."""
