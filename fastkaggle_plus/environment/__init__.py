"""Environment variables: only the files of this folder read or set them."""

from .gpus import card_variables, gpu_variables, has_gpu, named_cards, visible_gpus
from .loopback import (
    assert_loopback,
    assert_sandbox_variables,
    is_loopback,
    is_rehearsal,
    points_to_sandbox,
    rehearsing,
)
from .threads import core_count, numeric_threads, thread_limit
from .user import (
    api_environment,
    credential_variables,
    home,
    iskaggle,
    kaggle_input,
    rehearsed_files,
    token_files,
)
from .variables import harmless_variables, prepare_gradio, prepare_ray, variables, with_variables

__all__ = [
    "api_environment",
    "assert_loopback",
    "assert_sandbox_variables",
    "card_variables",
    "core_count",
    "credential_variables",
    "gpu_variables",
    "harmless_variables",
    "has_gpu",
    "home",
    "is_loopback",
    "is_rehearsal",
    "iskaggle",
    "kaggle_input",
    "named_cards",
    "numeric_threads",
    "points_to_sandbox",
    "prepare_gradio",
    "prepare_ray",
    "rehearsed_files",
    "rehearsing",
    "thread_limit",
    "token_files",
    "variables",
    "visible_gpus",
    "with_variables",
]
