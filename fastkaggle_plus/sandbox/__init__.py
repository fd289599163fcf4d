"""A local twin of Kaggle: unmodified clients download from it, submit to it and read its leaderboard, with no account and no network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
