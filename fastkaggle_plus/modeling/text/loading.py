"""Load a language model's files from its folder, and explain files that do not load."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...exceptions import MissingExtra, WeightsMissing, needs_extra
from ..model_hub import short_error


def load_tokenizer(folder: str | Path) -> Any:
    """Return the tokenizer of a model's folder.

    Raises MissingExtra, and WeightsMissing for a tokenizer that does not load.
    """
    with needs_extra("text"):
        from transformers import AutoTokenizer
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except ImportError as e:  # a model without tokenizer.json needs sentencepiece
        raise MissingExtra(e.name or "sentencepiece", "text") from e
    except Exception as e:  # each tokenizer library raises its own errors
        raise WeightsMissing(
            f"The tokenizer in {folder} does not load ({short_error(e)}). Write it again with "
            "tokenizer.save_pretrained, or download the model again."
        ) from e


@contextlib.contextmanager
def quiet_loading(folder: Path) -> Iterator[None]:
    """Load a configuration or weights in this block, without progress bars and warnings.

    Raises MissingExtra, and WeightsMissing for files that do not load: a partial download, a git
    pointer file, or files of two models.
    """
    from pickle import UnpicklingError

    with needs_extra("text"):
        from safetensors import SafetensorError
        from transformers.utils import logging
    unreadable = (OSError, ValueError, KeyError, RuntimeError, EOFError)
    level, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (*unreadable, UnpicklingError, SafetensorError) as e:
        raise WeightsMissing(
            f"{folder} does not load as a language model ({short_error(e)}). It needs config.json "
            "and model.safetensors of one architecture, as save_pretrained writes them."
        ) from e
    finally:
        logging.set_verbosity(level)
        if had_bars:
            logging.enable_progress_bar()
