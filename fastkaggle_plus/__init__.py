"""Rehearse, measure and submit Kaggle competitions.

    from fastkaggle_plus import *

A name is loaded when it is first used, so importing this package is fast. `__init__.pyi` lists all
names. Models need torch or other libraries: import them from `fastkaggle_plus.modeling`.
"""

import lazy_loader

__version__ = "0.1.0"  # the only place; setup.cfg reads it from here

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
