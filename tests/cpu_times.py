"""`pytest --cpu-times`: the CPU seconds of each file of tests, with the processes that it starts.

They depend little on what else the machine does, so two runs can be compared.
"""

from collections import Counter

import psutil
import pytest

N_SHOWN = 40  # tests


def pytest_addoption(parser):
    text = "Print the CPU seconds of the files of tests and of the slowest tests."
    parser.addoption("--cpu-times", action="store_true", help=text)


def pytest_configure(config):
    if config.getoption("--cpu-times"):
        config.pluginmanager.register(CpuTimes())


class CpuTimes:
    """Puts the CPU seconds on each report; adds them up where the reports arrive."""

    def __init__(self):
        self.last_s, self.tests = 0.0, Counter()

    def pytest_collection_finish(self):
        self.last_s = used_s()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self):
        report, now = (yield), used_s()
        report.cpu_s, self.last_s = now - self.last_s, now  # of set-up, call or teardown
        return report

    def pytest_runtest_logreport(self, report):
        self.tests[report.nodeid] += report.cpu_s

    def pytest_terminal_summary(self, terminalreporter):
        files = Counter()
        for test, seconds in self.tests.items():
            files[test.partition("::")[0]] += seconds
        for counts, n in ((self.tests, N_SHOWN), (files, None)):
            terminalreporter.section(f"CPU seconds: {files.total():.0f}")
            for name, seconds in counts.most_common(n):
                terminalreporter.write_line(f"{seconds:8.2f}  {name}")


def used_s() -> float:
    """Return the CPU seconds of this process and of those that it started."""
    me, total = psutil.Process(), 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has just ended, and is counted with its parent
        total += sum(times[:4])  # user, system, and both of its ended processes
    return total
