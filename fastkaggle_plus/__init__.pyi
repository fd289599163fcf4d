from .competition import Competition, list_comps, load_comp
from .data import Data, Table
from .ensembling import ensemble, error_correlation
from .environment import iskaggle
from .evidence import best_of, best_set, compare, compare_recipes, most_confused, top_losses
from .exceptions import FastkaggleError, KaggleError
from .folds import make_folds
from .kaggle_client import (
    check_ds_exists,
    competition_submit,
    create_libs_datasets,
    create_requirements_dataset,
    get_dataset,
    get_local_ds_ver,
    get_pip_libraries,
    get_pip_library,
    import_kaggle,
    kernel_logs,
    kernel_output,
    kernel_status,
    leaderboard,
    mk_dataset,
    nb_meta,
    push_dataset,
    push_notebook,
    quota,
    setup_comp,
    submissions,
    submit,
    submit_code,
    wait_kernel,
)
from .metrics import get_metric
from .modeling import check_split, copy_groups
from .predictions import Predictions, load_predictions
from .reading import apply_cleaning, check_images, image_sizes, read_tabular, undo_cleaning
from .sandbox import rehearse
from .submission import check_file, check_submission, write_submission
from .sweeps import (
    Range,
    Search,
    Sweep,
    Trial,
    board,
    default_trials,
    experiment,
    folds_for,
    grid,
    hypothesis_log,
    repeat_spread,
    repeated,
    run_local,
    run_ray,
    run_search,
    winner,
)
from .sweeps.run_kaggle import run_kaggle
from .sweeps.trial_versions import rebuild_ensemble
from .sweeps.vault import Vault
from .ui import no_progress
from .workflow.measure import search, sweep
from .workflow.new_competition import new_comp
from .workflow.plan_submissions import plan
from .workflow.rehearse import rehearsal
from .workflow.run import run
from .workflow.write_app import write_app

__version__: str

__all__ = [
    "Competition",
    "Data",
    "FastkaggleError",
    "KaggleError",
    "Predictions",
    "Range",
    "Search",
    "Sweep",
    "Table",
    "Trial",
    "Vault",
    "apply_cleaning",
    "best_of",
    "best_set",
    "board",
    "check_ds_exists",
    "check_file",
    "check_images",
    "check_split",
    "check_submission",
    "compare",
    "compare_recipes",
    "competition_submit",
    "copy_groups",
    "create_libs_datasets",
    "create_requirements_dataset",
    "default_trials",
    "ensemble",
    "error_correlation",
    "experiment",
    "folds_for",
    "get_dataset",
    "get_local_ds_ver",
    "get_metric",
    "get_pip_libraries",
    "get_pip_library",
    "grid",
    "hypothesis_log",
    "image_sizes",
    "import_kaggle",
    "iskaggle",
    "kernel_logs",
    "kernel_output",
    "kernel_status",
    "leaderboard",
    "list_comps",
    "load_comp",
    "load_predictions",
    "make_folds",
    "mk_dataset",
    "most_confused",
    "nb_meta",
    "new_comp",
    "no_progress",
    "plan",
    "push_dataset",
    "push_notebook",
    "quota",
    "read_tabular",
    "rebuild_ensemble",
    "rehearsal",
    "rehearse",
    "repeat_spread",
    "repeated",
    "run",
    "run_kaggle",
    "run_local",
    "run_ray",
    "run_search",
    "search",
    "setup_comp",
    "submissions",
    "submit",
    "submit_code",
    "sweep",
    "top_losses",
    "undo_cleaning",
    "wait_kernel",
    "winner",
    "write_app",
    "write_submission",
]
