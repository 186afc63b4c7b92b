"""What the start of each process costs: the seconds that its imports take, by package.

``python -m fridge_assets_tests.benchmarks.imports``; ``make bench-hourly`` prints the same table.
"""

import re
import subprocess
import sys
from collections import Counter

from rich.console import Console
from rich.table import Table

PROCESSES = {
    "a command that only lists": "fridge_assets.cli.main",
    "the process that launches a run": "fridge_assets.automation.cycles",
    "the server that the steps fork from": "fridge_assets.preload",
    "the stream": "fridge_assets.streaming.service",
}
"""What the process is → the module whose import is its start."""

_SHOWN = 6
_LINE = re.compile(r"import time:\s+(?P<own>\d+) \|\s+\d+ \|\s*(?P<module>\S+)")


def seconds_by_package(module: str) -> Counter[str]:
    """Package → seconds that importing ``module`` spends in it, in a Python of its own."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds: Counter[str] = Counter()
    for found in _LINE.finditer(done.stderr):
        seconds[found["module"].split(".")[0]] += int(found["own"]) / 1e6
    return seconds


def print_imports(console: Console) -> None:
    """Print a row for each kind of process, the dearest packages first."""
    table = Table(title="Imports at the start of a process (with -X importtime, which itself takes some of it)")
    table.add_column("process")
    table.add_column("seconds", justify="right")
    table.add_column("most of it")
    for process, module in PROCESSES.items():
        seconds = seconds_by_package(module)
        dearest = ", ".join(f"{package} {spent:.2f}" for package, spent in seconds.most_common(_SHOWN))
        table.add_row(process, f"{seconds.total():.1f}", dearest)
    console.print(table)


if __name__ == "__main__":
    print_imports(Console())
