"""Kaggle notebooks of a competition: render them, check them, estimate their run time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
