"""Kaggle itself: sessions, competitions, submissions, notebooks, datasets. The only folder that imports `kaggle`, and only when a name is used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
