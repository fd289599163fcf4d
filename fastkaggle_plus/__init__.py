"""Rehearse, measure and submit Kaggle competitions.

    from fastkaggle_plus import *

Every name is loaded when it is first used: importing this package loads nothing else. What stands on torch or on a model
library is imported by name from `fastkaggle_plus.modeling`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
