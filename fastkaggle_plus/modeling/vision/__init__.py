"""Image models: which architectures there are, how they differ, how good and fast they are, and where their weights come from."""
