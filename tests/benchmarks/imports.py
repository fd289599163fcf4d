"""Start-up: what `import fastkaggle_plus` and `fkp --help` cost, beside a bare interpreter and `import fastkaggle`."""

import statistics
import subprocess
import sys
import time

ROUNDS = 9
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import fastkaggle_plus": ["-c", "import fastkaggle_plus"],
    "fkp --help": ["-m", "fastkaggle_plus", "--help"],
    "from fastkaggle_plus import *": ["-c", "from fastkaggle_plus import *"],
    "import fastkaggle": ["-c", "import fastkaggle"],
}


def seconds(arguments: list[str]) -> float:
    "Time one process."
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def main() -> None:
    "Print the median of several rounds, the commands taking turns, and the ratio to `import fastkaggle`."
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    median = {name: statistics.median(t) for name, t in times.items()}
    for name, s in median.items():
        print(
            f"{name:32} {s * 1000:6.0f} ms   {s / median['import fastkaggle']:.2f} x import fastkaggle"
        )


if __name__ == "__main__":
    main()
