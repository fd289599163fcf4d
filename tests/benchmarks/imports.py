"""Start-up time: `import fastkaggle_plus` and `fkp --help`, against Python and fastkaggle."""

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


def time_process(arguments: list[str]) -> float:
    """Return the seconds that one Python process takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the median of several rounds in ms, and the ratio to `import fastkaggle`."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):  # the commands take turns, so that all see the same load
        for name, arguments in COMMANDS.items():
            times[name].append(time_process(arguments))
    median = {name: statistics.median(t) for name, t in times.items()}
    for name, s in median.items():
        ratio = s / median["import fastkaggle"]
        print(f"{name:32} {s * 1000:6.0f} ms   {ratio:.2f} x import fastkaggle")


if __name__ == "__main__":
    main()
