"""Notebooks for Kaggle: rendered from a competition's folder, complete in themselves, and checked before any push."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
