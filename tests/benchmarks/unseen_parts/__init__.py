"""Parts of the benchmark unseen.py: the data sets, and the programs that it compares on them."""
