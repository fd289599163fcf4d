"""Run a sweep in Kaggle's kernels: the trials travel in scripts, the results come as files."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

from ..competition import Competition
from ..exceptions import ConfigError, NothingSent
from ..kaggle_client import import_kaggle
from ..kaggle_client.api import is_local, user_of
from ..kaggle_client.kernels.metadata import MAX_TIMEOUT_S
from ..ui.records import Records
from .budget import gpu_hours
from .execution import SweepExecution, SweepOptions
from .kaggle_kernels.account import Account
from .kaggle_kernels.fleet import Fleet, FleetOptions
from .kaggle_kernels.forecast import forecast
from .kaggle_kernels.kernel_plan import KernelPlan
from .kaggle_kernels.packing import Machine
from .sweep_bar import with_bar
from .trial import Sweep, TrialResult
from .vault import Vault

# Batch sessions of an account at the same time; one of them stays free for the user.
SESSIONS = {"gpu": 2, "cpu": 5}


@with_bar
def run_kaggle(
    sweep: Sweep,
    comp: Competition,
    path: str | Path,  # the competition's data here
    *,
    vault: Vault,
    client: Any = None,  # a KaggleApi; default: of your account
    journal: str | Path | None = None,  # of what was sent; default: as for `push_notebook`
    owner: str = "",  # of the kernels; default: the client's user
    libs_dataset: str = "",  # OWNER/NAME of the wheels of this library, see `fkp libs`
    datasets: Sequence[str] = (),  # more inputs, OWNER/NAME
    publish: Callable[[], Sequence[str]] | None = None,  # makes datasets to attach, before a push
    gpu: bool = False,  # on a T4 x2, both cards used
    internet: bool = True,
    n_kernels: int | None = None,  # most at a time; default: Kaggle's sessions less one
    max_gpu_hours: float | None = None,  # budget: billed hours of this call
    start_s: float = 120.0,  # expected from a kernel's start to its first trial
    margin_s: float = 300.0,  # of the hours left that each kernel leaves unused
    dry_run: bool = False,  # send nothing: each result says in which kernel it would run
    confirm: Callable[[KernelPlan], bool] | None = None,  # shows the plan; False: send nothing
    poll_s: float = 60.0,  # pause between two reads of the kernels
    **options: Unpack[SweepOptions],  # data, callbacks, budget
) -> Records[TrialResult]:
    """Run the trials that the vault does not have yet in Kaggle kernels; results as `run_local`.

    The trials are packed into few private kernels by their expected time, longest first. Each
    kernel ends itself before the hours that it may use are over, and what it did not finish runs
    in the next one. The week's GPU hours are read before each push and never exceeded. After a
    kill, the same call takes in what the kernels wrote, and waits for those that still run.

    Raises NothingSent if `confirm` refuses, ConfigError, DataError, KaggleError.
    """
    if n_kernels is not None and n_kernels < 1:
        raise ConfigError(f"Expected at least one kernel, got n_kernels = {n_kernels}.")
    client = client or import_kaggle()
    machine = Machine(gpu, start_s, margin_s, float(MAX_TIMEOUT_S))
    execution = SweepExecution(sweep, comp, path, vault=vault, far=True, **options)
    announce = confirm is None and not is_local(client)
    account = Account(client, owner or user_of(client), journal, poll_s, announce)
    attached = [name for name in (libs_dataset, *datasets) if name]
    most = n_kernels or SESSIONS["gpu" if gpu else "cpu"] - 1
    max_s = math.inf if max_gpu_hours is None or not gpu else 3600 * max_gpu_hours
    fleet = Fleet(execution, account, FleetOptions(machine, most, max_s, internet, attached))
    fleet.collect_earlier()
    execution.resume()
    if not (execution.pending or fleet.running):
        return Records(execution.results)
    plan = fleet.plan(forecast(execution, gpu))
    if confirm is not None and not confirm(plan):
        raise NothingSent("Nothing was sent.")
    if dry_run:
        fleet.describe(plan)
        return Records(execution.results)
    if publish is not None and fleet.queue.waiting:
        attached += publish()
    _run(fleet)
    return Records(execution.results)


def _run(fleet: Fleet) -> None:
    """Run the fleet; on Ctrl-C say which kernels run on."""
    note = fleet.execution.note
    try:
        fleet.run()
    except KeyboardInterrupt:
        if running := ", ".join(shard.name for shard in fleet.running):
            note(
                "kernel",
                f"still on Kaggle: {running}. The same command takes in the results; "
                "`fkp kernels stop NAME --live` ends a kernel.",
            )
        raise
    left_s = fleet.left_s()
    if math.isfinite(left_s):
        note("quota", f"{gpu_hours(fleet.spent_s)} by this sweep, {left_s / 3600:.3f} left")
