"""A local twin of Kaggle: unmodified clients use it without an account and without a network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
