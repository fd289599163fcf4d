"""Models: each file a family, each `*_model` a declared model, `cross_validate` what turns one into Predictions.

    from fastkaggle_plus.modeling import cross_validate, forest_model, tabular_model

A new family is a new file: `Trial("mine", "file.function")` finds it; its PRELOAD, see `preloads`, makes many trials of it start fast, and
its ATTACH takes the language models that it needs to Kaggle.
The table below only makes names importable from here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
