"""Keep kernels running until every trial of a sweep has its result, or the hours end."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...exceptions import ConfigError, KaggleError, QuotaReached
from ..execution import SweepExecution
from .account import GONE, TEMPORARY, Account, is_session_cap
from .collect import Seen, look_at, take
from .forecast import Forecast
from .in_kernel import DEADLINE, REFUSED
from .kernel_plan import KernelPlan
from .packing import Load, Machine, billed_s
from .script import write_script
from .shards import Shard, Shards
from .trial_queue import TrialQueue

_MOST_FAILURES = 10  # of requests about one kernel, in a row
_HEADROOM, _MORE_STARTS = 2.0, 10  # a kernel may take twice the expected time, and ten starts
DIED, DELETED = "died", "deleted"


@dataclass(frozen=True)
class FleetOptions:
    """How kernels are made, and how many."""

    machine: Machine
    n_kernels: int  # most at a time
    max_s: float = math.inf  # budget: billed seconds of this call
    internet: bool = True
    datasets: Sequence[str] = ()  # owner/name, to attach


class Fleet:
    """The kernels of one sweep."""

    def __init__(self, execution: SweepExecution, account: Account, options: FleetOptions):
        self.execution, self.account, self.options = execution, account, options
        self.machine, self.queue = options.machine, TrialQueue(execution)
        self.shards = Shards(execution.vault, execution.keys.values())
        self.running: list[Shard] = []
        self.n_failures: Counter[str] = Counter()  # requests about a kernel, in a row
        self.doubtful: set[str] = set()  # kernels that are over, without the mark of an end
        self.spent_s = 0.0
        self.waits_for_session = False
        self.stop = ""  # why no further kernel starts

    def collect_earlier(self) -> None:
        """Take in what the kernels of an earlier call wrote; keep those that still run."""
        for shard in self.shards.all():
            if not shard.ended:
                seen = self._look(shard)
                take(self.execution, seen, self.execution.keys)
                if seen.has_ended_itself or seen.status == DELETED:
                    self._close(shard, seen)
                else:
                    self.running.append(shard)

    def plan(self, forecasts: dict[str, Forecast]) -> KernelPlan:
        """Let the pending trials wait, and return what `run` will send. Nothing is sent."""
        in_kernels = {name for shard in self.running for name in shard.trials}
        self.queue.expect(forecasts, in_kernels, self.machine)
        left_s = self.left_s()
        loads = self.queue.pack(self.machine, self.options.n_kernels, left_s)
        sent = [name for load in loads for name in load.trials]
        return KernelPlan(
            self.shards.prefix,
            self.machine.gpu,
            tuple(loads),
            billed_s(loads, self.machine),
            self.options.n_kernels,
            left_s,
            Counter(forecasts[name].source for name in sent),
            tuple(name for name in self.queue.waiting if name not in sent),
            len(self.running),
        )

    def describe(self, plan: KernelPlan) -> None:
        """End each trial with the kernel that would run it. Nothing is sent."""
        for i, load in enumerate(plan.loads, 1):
            where = f"kernel {i} of {len(plan.loads)}, {load.busy_s / 60:.1f} min"
            for name in load.trials:
                self.queue.skip(name, f"not run: a dry run; {where}")
        for name in plan.not_run:
            self.queue.skip(name, "not run: a dry run; too few hours are left for it")
        for name in list(self.queue.tasks):
            self.queue.skip(name, "not run: a dry run; it runs in a kernel of an earlier call")

    def run(self) -> None:
        """Send kernels and collect results until nothing is left to do."""
        while True:
            self._send_all()
            if not self.running and (self.stop or not self.queue.waiting):
                break
            time.sleep(self.account.poll_s)
            for shard in list(self.running):
                try:
                    self._check(shard)
                    self.n_failures[shard.name] = 0
                except TEMPORARY as e:
                    self._count_failure(shard, e)
        for name in list(self.queue.waiting):
            self.queue.skip(name, self.stop)

    def left_s(self) -> float:
        """Return the seconds that a new kernel may be billed, of the quota and of the budget."""
        reserved_s = sum(s.deadline_s + self.machine.margin_s for s in self.running)
        budget_s = self.options.max_s - self.spent_s - reserved_s
        return min(self.account.left_s(self.machine.gpu, reserved_s), budget_s)

    def _send_all(self) -> None:
        """Send kernels while sessions and hours are free."""
        while self.queue.waiting and not self.stop:
            if (n_free := self.options.n_kernels - len(self.running)) <= 0:
                return
            if self.execution.budget.left_s <= 0:
                self.stop = "not run: the time of the sweep's budget is over"
                return
            try:
                left_s = self.left_s()
                name = self.shards.new_name(self.account.names(self.shards.prefix))
            except TEMPORARY:
                return
            loads = self.queue.pack(self.machine, n_free, left_s)
            if not loads and not self.running:
                hours = f"{max(left_s, 0) / 3600:.2f}"
                self.stop = f"not run: only {hours} GPU hours are left; run it again when more are"
            if not loads or (self.running and not self.machine.is_worth(loads[0])):
                return  # a small rest waits for more trials, or for the last kernel to end
            others_s = billed_s(loads[1:], self.machine) + self.machine.margin_s * len(loads)
            if not self._send(name, loads[0], left_s - others_s):
                return

    def _send(self, name: str, load: Load, most_s: float) -> bool:
        """Send one kernel. Return False if Kaggle has no session for it now."""
        names = tuple(trial for trial in load.trials if self.queue.start(trial))
        if not names:
            return True
        expected_s = self.machine.start_s + load.busy_s
        most_s = min(self.machine.session_s - self.machine.margin_s, most_s)
        deadline_s = _HEADROOM * expected_s + _MORE_STARTS * self.machine.start_s
        shard = self.shards.save(Shard(name, names, expected_s, min(deadline_s, most_s)))
        code = write_script(
            self.execution,
            shard,
            longest_s=self.queue.seconds_of(names[0], self.machine),
            start_s=self.machine.start_s,
            left_s=self.execution.budget.left_s,
        )
        self.shards.script(shard).write_text(code, encoding="utf-8")
        return self._push(shard)

    def _push(self, shard: Shard) -> bool:
        """Send a kernel that may be there already; False if there is no session for it now."""
        script, options = self.shards.script(shard), self.options
        try:
            version = self.account.push(
                shard,
                script,
                self.execution.comp.slug,
                self.machine,
                internet=options.internet,
                datasets=options.datasets,
            )
        except QuotaReached as e:
            self._drop(shard)
            if not is_session_cap(e.said):
                self.stop = f"not run: {e}"
            elif not self.waits_for_session:
                self.execution.note("kernel", f"waiting for a free session: {e.said}")
            self.waits_for_session = True
            return False
        except TEMPORARY as e:  # it may have arrived: it is looked for before it is sent again
            self._keep(shard)
            self._count_failure(shard, e)
            return False
        except KaggleError:
            self._drop(shard)
            raise
        self._keep(replace(shard, version=version))
        self.waits_for_session = False
        minutes = f"about {shard.expected_s / 60:.1f} min, at most {shard.deadline_s / 60:.1f}"
        self.execution.note("kernel", f"{shard.name} sent: {len(shard.trials)} trials, {minutes}")
        return True

    def _check(self, shard: Shard) -> None:
        """Read the state of one kernel, and take its results."""
        if not shard.version:
            self._push(shard)
            return
        seen = self._look(shard)
        if not shard.started and seen.status != "QUEUED":
            shard = self._keep(replace(shard, started=time.time()))
        tasks = self.queue.tasks
        unfinished = [name for name in shard.trials if name in tasks]
        for name, error in take(self.execution, seen, unfinished).items():
            self.queue.finish(name, error)
        for name in set(unfinished) & tasks.keys():
            self.execution.report(tasks[name], 0.0, seen.status.lower(), where=shard.name)
        is_over = seen.is_over or self._is_overdue(shard)
        if is_over and not seen.has_ended_itself and shard.name not in self.doubtful:
            self.doubtful.add(shard.name)  # its last files may be listed a little later
        elif is_over or seen.has_ended_itself:
            self._close(shard, seen)
            if seen.state == REFUSED:
                raise ConfigError(f"{shard.name} refused its trials: {seen.facts['error']}")

    def _close(self, shard: Shard, seen: Seen) -> None:
        """Book the end of a kernel, and let its unfinished trials wait for the next one."""
        how = seen.state if seen.has_ended_itself else DIED
        if seen.status == DELETED:
            how = DELETED
        elif seen.status not in ("COMPLETE", "ERROR") and (how == DIED or not seen.is_over):
            self.account.delete(shard)  # it might be billed on
        self.shards.save(replace(shard, ended=how))
        self.running = [s for s in self.running if s.name != shard.name]
        self.spent_s += time.time() - shard.started if shard.started else 0.0
        # A start that takes longer than expected would use up the time of the next kernel too.
        late_s = shard.deadline_s if seen.state == DEADLINE and not seen.begun else seen.start_s
        self.machine = replace(self.machine, start_s=max(self.machine.start_s, late_s))
        self.queue.learn(seen)
        n, n_done = len(shard.trials), len(seen.files)
        self.execution.note("kernel", f"{shard.name} {how}: {n_done} of {n} trials have results")
        for name in [name for name in shard.trials if name in self.queue.tasks]:
            if how == DELETED:
                self.queue.skip(name, f"not run: its kernel {shard.name} was deleted")
            else:
                self.queue.retry(name, seen, self.shards.output(shard))

    def _keep(self, shard: Shard) -> Shard:
        """Store a kernel that runs, or may run."""
        self.running = [*(s for s in self.running if s.name != shard.name), shard]
        return self.shards.save(shard)

    def _drop(self, shard: Shard) -> None:
        """Forget a kernel that was not sent; its trials wait."""
        self.shards.forget(shard)
        self.running = [s for s in self.running if s.name != shard.name]
        self.queue.wait_again([name for name in shard.trials if name in self.queue.tasks])

    def _look(self, shard: Shard) -> Seen:
        handle, folder = self.account.handle(shard), self.shards.output(shard)
        try:
            return look_at(handle, shard.version or None, folder, self.account.client)
        except GONE:
            return Seen(DELETED, True)

    def _is_overdue(self, shard: Shard) -> bool:
        """Say whether a kernel must have ended itself by now, even if its status is RUNNING."""
        most_s = shard.deadline_s + self.machine.margin_s + 2 * self.account.poll_s
        return bool(shard.started) and time.time() - shard.started > most_s

    def _count_failure(self, shard: Shard, error: KaggleError) -> None:
        """Raise the error if the requests about a kernel failed too often."""
        self.n_failures[shard.name] += 1
        if self.n_failures[shard.name] > _MOST_FAILURES:
            raise error
