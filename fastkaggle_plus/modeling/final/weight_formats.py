"""The file formats of the libraries: each fitted object is written by its own library."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ...exceptions import DataError, needs_extra
from ..text.loading import load_tokenizer


@dataclass(frozen=True)
class Format:
    """How one library's objects are written and read."""

    package: str
    suffix: str  # of the file; "" for a folder
    write: Callable[[Any, Path], object]
    read: Callable[[Path, str], Any]  # (file, name of the class) -> object


def _write_sklearn(estimator: Any, file: Path) -> None:
    with needs_extra("keep"):
        from skops import io
    io.dump(estimator, file)


def _read_sklearn(file: Path, _kind: str) -> Any:
    with needs_extra("keep"):
        from skops import io
    asked = io.get_untrusted_types(file=file)  # such as the trees of a forest
    known = ("sklearn.", "functools.partial")  # the function of a partial is asked about too
    if unknown := [name for name in asked if not name.startswith(known)]:
        raise DataError(
            f"{file.name} holds objects of unknown types: {', '.join(unknown)}. Expected "
            "estimators of scikit-learn. Load only models of someone you trust."
        )
    return io.load(file, trusted=asked)


class LightGBMFile:
    """LightGBM's model, read from its file. Its own estimators cannot be filled from a file."""

    def __init__(self, file: Path):
        with needs_extra("boost"):
            self.booster = import_module("lightgbm").Booster(model_file=str(file))

    def predict(self, x: Any) -> Any:
        """Return (n,) values."""
        return self.booster.predict(x)

    def predict_proba(self, x: Any) -> Any:
        """Return (n, n_classes) probabilities."""
        preds = self.booster.predict(x)
        return preds if preds.ndim == 2 else import_module("numpy").column_stack([1 - preds, preds])


def _write_model(estimator: Any, file: Path) -> None:
    estimator.save_model(str(file))


def _read_tokenizer(file: Path, _kind: str) -> Any:
    return import_module("tokenizers").Tokenizer.from_file(str(file))


def _write_lightgbm(estimator: Any, file: Path) -> None:
    booster: Any = getattr(estimator, "booster_", getattr(estimator, "booster", None))
    booster.save_model(str(file))


def _read_booster(library: str, kind: str, file: Path) -> Any:
    with needs_extra("boost"):
        module = import_module(library)
    settings = {"enable_categorical": True, "n_jobs": 1} if library == "xgboost" else {}
    estimator = getattr(module, kind)(**settings)
    estimator.load_model(str(file))
    return estimator


def _classes(library: str, prefix: str) -> Callable[[Path, str], Any]:
    """Return a reader of a library's two estimators, which refuses any other class."""

    def read(file: Path, kind: str) -> Any:
        if kind not in (known := (f"{prefix}Classifier", f"{prefix}Regressor")):
            raise DataError(f"{file.name} names the class {kind!r}; expected {' or '.join(known)}.")
        return _read_booster(library, kind, file)

    return read


FORMATS = {  # by the package of the object's class
    "sklearn": Format("scikit-learn", ".skops", _write_sklearn, _read_sklearn),
    "lightgbm": Format("lightgbm", ".txt", _write_lightgbm, lambda file, _: LightGBMFile(file)),
    "xgboost": Format("xgboost", ".ubj", _write_model, _classes("xgboost", "XGB")),
    "catboost": Format("catboost", ".cbm", _write_model, _classes("catboost", "CatBoost")),
    "transformers": Format(  # a tokenizer
        "transformers",
        "",
        lambda t, folder: t.save_pretrained(folder),
        lambda f, _: load_tokenizer(f),
    ),
    "tokenizers": Format("tokenizers", ".json", lambda t, f: t.save(str(f)), _read_tokenizer),
}


def library_of(value: Any) -> str:
    """Return the key in FORMATS of an object's library, "" for an object without a format."""
    if isinstance(value, LightGBMFile):
        return "lightgbm"
    roots = [c.__module__.partition(".")[0] for c in type(value).__mro__]
    return roots[0] if roots[0] in FORMATS else ""
