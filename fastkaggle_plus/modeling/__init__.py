"""Models: declare one with a `*_model` function, turn it into Predictions with `cross_validate`.

    from fastkaggle_plus.modeling import cross_validate, forest_model, tabular_model

To add a model family, add a file: `Trial("mine", "function")` finds it. The file may set the
constants PRELOAD and ATTACH, see `manifest`. This file only makes names importable from here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
