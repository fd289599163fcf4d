from .competitions import LeaderboardRow, leaderboard, setup_comp
from .datasets.publish import Dataset
from .datasets.sync import sync_dataset
from .datasets.verbs import check_ds_exists, get_dataset, mk_dataset, push_dataset
from .kernels.code_submission import submit_code
from .kernels.kernel import KernelStatus, KernelVersion
from .kernels.logs import LogEvent, kernel_logs
from .kernels.metadata import nb_meta
from .kernels.outputs import KernelOutput, kernel_output
from .kernels.push import push_notebook
from .kernels.status import Quota, kernel_status, quota, wait_kernel
from .outbox import Journal
from .session import connect, import_kaggle
from .submission_status import Submission
from .submissions import competition_submit, submissions, submit
from .wheels.sync_wheels import LibraryDataset
from .wheels.wheel_datasets import (
    create_libs_datasets,
    create_requirements_dataset,
    get_local_ds_ver,
    get_pip_libraries,
    get_pip_library,
)

__all__ = [
    "Dataset",
    "Journal",
    "KernelOutput",
    "KernelStatus",
    "KernelVersion",
    "LeaderboardRow",
    "LibraryDataset",
    "LogEvent",
    "Quota",
    "Submission",
    "check_ds_exists",
    "competition_submit",
    "connect",
    "create_libs_datasets",
    "create_requirements_dataset",
    "get_dataset",
    "get_local_ds_ver",
    "get_pip_libraries",
    "get_pip_library",
    "import_kaggle",
    "kernel_logs",
    "kernel_output",
    "kernel_status",
    "leaderboard",
    "mk_dataset",
    "nb_meta",
    "push_dataset",
    "push_notebook",
    "quota",
    "setup_comp",
    "submissions",
    "submit",
    "submit_code",
    "sync_dataset",
    "wait_kernel",
]
